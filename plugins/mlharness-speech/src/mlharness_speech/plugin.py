"""The hooks of this plugin; importing it imports no library of sound."""

from __future__ import annotations

from pathlib import Path

from mlharness import hookimpl
from mlharness.registrars import DataSetRegistrar, ManifestRegistrar, MetricRegistrar, StepRegistrar
from mlharness_speech import audio, clips, decoding, features, librispeech, wer


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The sample steps ``audio.*`` and ``speech.*``."""
    registrar.step("audio.decode", audio.make_decode)
    registrar.step("audio.resample", audio.make_resample, parameters=audio.RESAMPLE)
    registrar.step("audio.waveform", audio.make_waveform, parameters=audio.WAVEFORM)
    registrar.step("audio.log-mel", features.make_log_mel, parameters=features.LOG_MEL)
    registrar.step("speech.ctc-decode", decoding.make_ctc_decode, parameters=decoding.CTC_DECODE)
    registrar.step("speech.whisper-decode", decoding.make_whisper_decode, parameters=decoding.WHISPER_DECODE)
    registrar.step("speech.trim", decoding.make_trim, parameters=decoding.TRIM)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The data-set kinds ``speech`` and ``librispeech``."""
    registrar.dataset("speech", open=clips.open_clips, options=clips.OPTIONS)
    registrar.dataset("librispeech", open=librispeech.open_librispeech, options=librispeech.OPTIONS)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    """The metric ``wer``."""
    registrar.metric("wer", score=wer.score_wer, response=wer.wer_response, options=wer.OPTIONS, higher_is_better=False)


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """The models and data sets of speech recognition."""
    registrar.folder(Path(__file__).parent / "manifests")
