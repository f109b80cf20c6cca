"""Writes the tests' data: dev-v1.1.json and cnn_eval.json in their official layouts, and a small tokenizer.json.

All texts were written for this project, about places and people that do not exist. Run it after changing them:

    python scripts/make_fixtures.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "tests" / "data"

ISLAND = """\
The island of Skarholm lies eleven kilometres off the coast of Vestmark, between the Grey Strait and the open \
sea. It is four kilometres long and barely one kilometre wide. Its highest point, the Kittiwake Rock, rises 63 \
metres above the water. About 240 people live there all year round; in July and August, when the ferry runs six \
times a day, there are more than a thousand. The first settlers came in 1412 from the village of Ebbesund. They \
were eel fishers who had quarrelled with their landlord, a certain Henrik the Younger, over the price of salt. \
They built nine houses of driftwood and turf on the southern shore, where a low hill keeps off the western wind. \
Nothing is left of these houses today except a row of flat stones, which children use as goalposts. For two \
centuries the islanders lived on eels, seal oil and the eggs of sea birds. A tax roll of 1598 lists thirty-one \
families, seventeen cows and one windmill. The windmill stood on the Kittiwake Rock until the great storm of 3 \
November 1703, which carried off its sails and, as the parish register notes with some satisfaction, the \
miller's unlicensed brandy. It was never rebuilt. The lighthouse is the island's best-known building. It was \
designed by the engineer Amalia Thorsen, who was only twenty-six years old, and took from 1868 to 1873 to \
complete. Thorsen had proposed a tower of iron, since stone had to be brought from the mainland by barge. The \
harbour board refused: iron, it said, would sing in the wind and frighten the fish. In the end the tower was \
built of 4,200 blocks of granite. The lamp burned rapeseed oil at first, then paraffin, and since 1931 it has \
been electric. Its light can be seen at a distance of 34 kilometres. The last keeper, Jonas Brekke, left in \
1988, when the lamp was given a clock of its own; he took the visitors' book with him and returned it, after \
many letters, nineteen years later. The island's school has two rooms, one teacher and, at present, fourteen \
pupils. Lessons begin half an hour later in winter, because three of the pupils come by boat from the islet of \
Little Skar. The school is known beyond Vestmark for its weather records: every morning since 1926, without a \
single gap, pupils have written down the air pressure, the temperature of the water and the direction of the \
wind. Researchers of the university at Lundvik used these records in 2009 to show that the Grey Strait has \
become one and a half degrees warmer. Today most islanders work in the mussel farm, which was founded in 1994 by \
the sisters Ylva and Berit Strand and sells ninety tonnes of mussels a year, or they let rooms to visitors. A \
wind turbine has stood near the old mill since 2016. It is called Amalia, and it is made of steel; according to \
the harbour board it does not frighten the fish."""

BAKERY = """\
Zoë Müller-Łukasik opened the bakery “Zum Krähenfuß” in the Rue de l'Église in 1987. Her sourdough, which she calls \
Großmutter, is said to be 112 years old; it came from Kraków in a jar of marmalade.\tThe bakery sells about 1,300 \
loaves a week.\u00a0Its most expensive cake, the naïve “Tour d'Ivoire”, costs €48.50 and must be ordered 3 days ahead. \
In 2019 a fire destroyed the oven (but not the sourdough, which was on holiday with Zoë's brother-in-law, José)."""

MACHINE = """\
The Calder engine was a calculating machine that printed tide tables.\u202fIt had 1,914 brass wheels and weighed 2.3 \
tonnes. Edith Calder, a clock-maker's daughter, began it in 1851 and finished it in 1859 with the help of her cousin \
Rupert. The machine made one mistake in forty years: it gave the high water of 29 February 1876 as 12.60 o'clock. 東京 \
and 北京 were among the ports for which it printed tables. Its nickname was “Aunt Edith”."""

ARTICLES = [
    (
        "Skarholm",
        [
            (
                ISLAND,
                [
                    ("How far from the coast of Vestmark is Skarholm?", ["eleven kilometres", "eleven kilometres off"]),
                    ("Who designed the lighthouse?", ["Amalia Thorsen", "the engineer Amalia Thorsen", "Thorsen"]),
                    ("What did the storm of 1703 carry off?", ["its sails", "its sails and"]),
                    ("Since when has the lamp been electric?", ["1931", "since 1931"]),
                    (
                        "How many tonnes of mussels does the farm of the sisters Strand sell in a year?",
                        ["ninety tonnes", "ninety", "ninety tonnes of mussels"],
                    ),
                    ("What is the wind turbine called?", ["Amalia"]),
                    (
                        "In which year did researchers of the university, who had asked the teacher, the pupils, the "
                        "parents of the pupils, the grandparents of the pupils, the ferryman, the ferryman's dog, the "
                        "harbour board, the last keeper of the lighthouse and both of the sisters who own the mussel "
                        "farm for their permission, for their opinion and for a cup of coffee, use the records to show "
                        "that the strait has become warmer than it had been before?",
                        ["2009", "in 2009"],
                    ),
                    ("How many pupils does the school have?", ["fourteen", "fourteen pupils", "at present, fourteen"]),
                ],
            ),
        ],
    ),
    (
        "Two_crafts",
        [
            (
                BAKERY,
                [
                    ("Who opened the bakery?", ["Zoë Müller-Łukasik", "Müller-Łukasik"]),
                    ("What does the baker call her sourdough?", ["Großmutter"]),
                    ("What does the Tour d'Ivoire cost?", ["€48.50", "48.50"]),
                    ("Where did the sourdough come from?", ["Kraków", "from Kraków in a jar of marmalade"]),
                    ("How many loaves are sold in a week?", ["about 1,300", "1,300"]),
                    ("Who is José?", ["Zoë's brother-in-law", "brother-in-law"]),
                ],
            ),
            (
                MACHINE,
                [
                    ("How many brass wheels did the engine have?", ["1,914", "1,914 brass wheels"]),
                    ("Which ports with names of two signs are mentioned?", ["東京 and 北京", "東京"]),
                    ("What did the machine weigh?", ["2.3 tonnes", "2.3"]),
                    ("What was its nickname?", ["“Aunt Edith”", "Aunt Edith"]),
                    ("Who helped Edith Calder?", ["her cousin Rupert", "Rupert", "her cousin"]),
                ],
            ),
        ],
    ),
]

NEWS = [
    (
        "The ferry to Skarholm will run at night from next spring, the harbour board said on Tuesday. Two evening "
        "departures are planned on weekdays and three on Saturdays. Islanders had asked for them for eleven years. "
        '"We shall finally see a whole film in town," said Berit Strand, who runs the mussel farm. The crossing takes '
        "35 minutes and will cost four crowns, as in the daytime. The board "
        "expects 9,000 passengers in the first year.",
        "Ferry to Skarholm will run at night from next spring .\n"
        "Two evening departures on weekdays, three on Saturdays .\n"
        "Board expects 9,000 passengers in the first year .",
    ),
    (
        "A bakery that burned down in 2019 has won the regional prize for sourdough. The jury praised the crust, the "
        "crumb and the patience of its owner, Zoë Müller-Łukasik, who had to "
        "bake in a neighbour's garage for two years. "
        "Her sourdough is more than a hundred years old. She said that she would spend the prize of 5,000 euros on an "
        'oven "that is afraid of me".',
        "Bakery destroyed by fire in 2019 wins regional sourdough prize .\n"
        "Owner Zoë Müller-Łukasik baked in a garage for two years .",
    ),
    (
        "Mechanics have restored the Calder engine, a machine that printed "
        "tide tables in the 19th century. Of its 1,914 "
        "brass wheels, 212 had to be made anew. The work took three years. On its first run the engine printed the "
        "table for 1860 without a mistake; on its second it caught the curator's tie. It can be seen in the museum of "
        "Lundvik from Friday.",
        "Calder engine, a 19th-century tide calculator, has been restored .\n"
        "212 of 1,914 brass wheels were made anew .\n"
        "It can be seen in Lundvik from Friday .",
    ),
]
PIECES = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
    "the", "cat", "sat", "on", "mat", "##s", "zoe", "'", "s", "is", ".",
]  # fmt: skip
GPTJ_INSTRUCTION = "Summarize the following news article:"


def squad() -> dict[str, object]:
    """The articles in the layout of SQuAD 1.1. Raises ValueError for an answer that is not in its text."""
    data, number = [], 0
    for title, paragraphs in ARTICLES:
        made = []
        for context, questions in paragraphs:
            asked = []
            for question, answers in questions:
                places = [{"answer_start": context.index(answer), "text": answer} for answer in answers]
                asked.append({"answers": places, "question": question, "id": f"{number:024x}"})
                number += 1
            made.append({"context": context, "qas": asked})
        data.append({"title": title, "paragraphs": made})
    return {"data": data, "version": "1.1"}


def articles() -> list[dict[str, object]]:
    """The news in the layout of download_cnndm.py of language/gpt-j, and its token ids: numbers without a meaning."""
    return [
        {
            "instruction": GPTJ_INSTRUCTION,
            "input": article,
            "tok_input": [1000 + len(word) for word in article.split()],
            "output": summary,
        }
        for article, summary in NEWS
    ]


def tokenizer() -> Any:
    """A Hugging Face tokenizer of sixteen pieces, which frames texts as BERT's does."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({word: number for number, word in enumerate(PIECES)}, unk_token=PIECES[1]))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(list(PIECES[:5]))
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


if __name__ == "__main__":
    DATA.mkdir(parents=True, exist_ok=True)
    (DATA / "dev-v1.1.json").write_text(json.dumps(squad()), "utf-8")
    (DATA / "cnn_eval.json").write_text(json.dumps(articles(), indent=4, ensure_ascii=False), "utf-8")
    tokenizer().save(str(DATA / "tokenizer.json"))
