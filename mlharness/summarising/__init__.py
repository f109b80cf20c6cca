"""What a command found, as Markdown, JUnit or JSON for the machines and pages of CI."""
