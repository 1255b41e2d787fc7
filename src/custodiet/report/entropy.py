"""The report of an entropy run."""

from __future__ import annotations

from html import escape

from custodiet.base.units import format_bytes, format_duration_s
from custodiet.records.base import Measurement
from custodiet.records.entropy import CodeLength, EntropyRecord, GuessingBounds
from custodiet.report.html import render_environment, render_measurement, render_page, render_section, render_table
from custodiet.report.markdown import render_markdown_table
from custodiet.report.plots import plot_code_lengths
from custodiet.report.text import format_measurement

__all__ = [
    "CODE_HEAD",
    "LETTER_HEAD",
    "code_rows",
    "entropy_sentences",
    "guessing_sentence",
    "letter_rows",
    "render_entropy_html",
    "render_entropy_markdown",
]

CODE_HEAD = ["code", "bits per byte", "95 % interval", "with decoder", "the decoder must have"]
LETTER_HEAD = ["bits per letter", "26 letters", "95 % interval", "Shannon", "27 letters", "95 % interval", "Shannon"]
SHANNON_READERS = "Shannon's readers, who knew 100 letters: 0.6 to 1.3 bits"
MUCH_SHARED = 0.01


def _interval(one: Measurement, *, digits: int = 3) -> str:
    if one.low is None or one.high is None:
        return one.why or ""
    return f"{one.low:.{digits}f} – {one.high:.{digits}f}"


def _value(one: Measurement, *, digits: int = 3) -> str:
    return format_measurement(one, digits=digits)[0]


def code_rows(record: EntropyRecord) -> list[list[str]]:
    """The codes as rows under `CODE_HEAD`."""
    return [
        [
            one.name,
            _value(one.bits_per_byte),
            _interval(one.bits_per_byte),
            f"{one.bits_per_byte_with_decoder.value or 0.0:,.3f}",
            f"{format_bytes(one.decoder_bytes)}: {one.decoder_needs}" if one.decoder_bytes else "nothing",
        ]
        for one in record.codes
    ]


def letter_rows(record: EntropyRecord) -> list[list[str]]:
    """Shannon's table as rows under `LETTER_HEAD`: one per N, the two alphabets beside each other."""
    cells = {
        (one.order, one.num_letters): [
            _value(one.bits_per_letter, digits=2),
            "" if one.bits_per_letter.low is None else _interval(one.bits_per_letter, digits=2),
            "" if one.shannon_bits is None else f"{one.shannon_bits:.2f}",
        ]
        for one in record.letters
    }
    return [
        [
            "from words" if order is None else f"F{order}",
            *cells.get((order, 26), ["–", "", ""]),
            *cells.get((order, 27), ["–", "", ""]),
        ]
        for order in dict.fromkeys(order for order, _ in cells)
    ]


def _best(codes: list[CodeLength], *, with_decoder: bool) -> CodeLength:
    return min(
        codes, key=lambda one: (one.bits_per_byte_with_decoder if with_decoder else one.bits_per_byte).value or 0.0
    )


def entropy_sentences(record: EntropyRecord) -> list[str]:
    """What was found, in words."""
    alone, free = _best(record.codes, with_decoder=True), _best(record.codes, with_decoder=False)
    rate = alone.bits_per_byte_with_decoder.value or 0.0
    sentences = [
        f"A byte of this text is worth {rate:.2f} bits to a reader who has nothing but the program ({alone.name}): "
        f"{record.num_bytes:,} bytes become {rate * record.num_bytes / 8:,.0f}."
    ]
    if free.decoder_bytes:
        sentences.append(
            f"To a reader who already has {free.decoder_needs.split(',')[0]} ({free.name}) it is worth "
            f"{free.bits_per_byte.value or 0.0:.2f} bits."
        )
    weighed = [one for one in record.codes if "weights" in one.decoder_needs]
    sentences += [
        f"Under {one.name} it costs {one.bits_per_byte.value or 0.0:.2f} bits, and {one.bits_per_byte_with_decoder.value or 0.0:,.2f} "
        f"when its weights ({format_bytes(one.decoder_bytes)}) are counted."
        for one in weighed
    ]
    primed = {one.name: one.bits_per_byte.value or 0.0 for one in record.codes}
    if "n-gram, primed" in primed and primed["n-gram"] > 0:
        saved = 1 - primed["n-gram, primed"] / primed["n-gram"]
        sentences.append(
            f"Having read the other text saves the n-gram {100 * saved:.1f} % of its bits."
            if saved > 0
            else f"Having read the other text does not help the n-gram: it needs {-100 * saved:.1f} % more bits."
        )
    shared = record.shared_with_other_text.value
    if shared is not None and shared > MUCH_SHARED:
        sentences.append(
            f"Of the runs of 50 bytes of this text, {100 * shared:.1f} % also stand in the other text: what the primed n-gram "
            "saves is copied in part, not learned."
        )
    known = [one for one in record.letters if one.num_letters == 27 and one.order is not None]
    if known and record.redundancy.value is not None:
        last = known[-1]
        theirs = "" if last.shannon_bits is None else f" (Shannon on his English: {last.shannon_bits})"
        before = {0: "", 1: "", 2: " to who knows the one before"}.get(
            last.order or 0, f" to who knows the {(last.order or 1) - 1} before"
        )
        sentences.append(
            f"A letter of the alphabet of 27 is worth {_value(last.bits_per_letter, digits=2)} bits{before}{theirs}; "
            f"redundancy {100 * record.redundancy.value:.0f} %."
        )
    if record.guessing is not None:
        sentences.append(guessing_sentence(record.guessing) + f" {SHANNON_READERS}.")
    return sentences


def guessing_sentence(one: GuessingBounds) -> str:
    """A played game in words."""
    return (
        f"Guessing game, {one.num_letters:,} letters: the {one.player} is right at the first guess {100 * one.share_at_first_guess:.0f} % "
        f"of the time, after {one.mean_guesses:.2f} guesses on average; bounds {_value(one.lower_bits_per_letter, digits=2)} to "
        f"{_value(one.upper_bits_per_letter, digits=2)} bits per letter."
    )


def _letters_section(record: EntropyRecord) -> str:
    if not record.letters:
        return ""
    more = [
        ["Entropy of words, bits per word", render_measurement(record.word_entropy_bits, digits=2)],
        ["Redundancy, alphabet of 27", render_measurement(record.redundancy, percent=True)],
    ]
    return render_section(
        "Letters",
        "<p>Bits of a letter when the N − 1 letters before it are known, in the alphabets of 26 letters and of 27 with the "
        "space, beside the figures that Shannon took from tables of English in 1951.</p>",
        render_table(LETTER_HEAD, letter_rows(record)),
        render_table(["", "measured"], more),
    )


def _guessing_section(record: EntropyRecord) -> str:
    one = record.guessing
    if one is None:
        return ""
    rows = [
        ["Lower bound", render_measurement(one.lower_bits_per_letter), "0.6"],
        ["Upper bound", render_measurement(one.upper_bits_per_letter), "1.3"],
        ["Its own probabilities need", render_measurement(one.code_bits_per_letter), "–"],
    ]
    return render_section(
        "The guessing game",
        f"<p>{escape(guessing_sentence(one))} The upper bound holds for every guesser that can be repeated; the lower one for a "
        "guesser that knows the true order of what is likely. Play it yourself: <code>custodiet entropy FILE --guess</code>.</p>",
        render_table(["bits per letter", "the n-gram", "Shannon's readers"], rows),
    )


def _approximations_section(record: EntropyRecord) -> str:
    if not record.approximations:
        return ""
    parts = "".join(
        f"<h3>{one.unit.capitalize()}s, order {one.order}</h3><blockquote>{escape(one.text)}</blockquote>"
        for one in record.approximations
    )
    return render_section("Approximations to the text", parts)


def render_entropy_html(record: EntropyRecord) -> str:
    """An entropy run as one HTML file."""
    stamp = (
        f"custodiet {record.environment.custodiet} · {record.created_utc} · seed {record.seed} · "
        f"{format_duration_s(record.elapsed_s)} min on {record.environment.cpu}"
    )
    sentences = "".join(f"<p>{escape(one)}</p>" for one in entropy_sentences(record))
    codes = [
        [
            one.name,
            render_measurement(one.bits_per_byte),
            f"{one.bits_per_byte_with_decoder.value or 0.0:,.3f}",
            f"{format_bytes(one.decoder_bytes)}: {one.decoder_needs}" if one.decoder_bytes else "nothing",
        ]
        for one in record.codes
    ]
    told = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
        for name, text in {
            one.name: one.description for one in record.codes if one.bits_per_byte.low is not None
        }.items()
    )
    files = [[one.role, one.path, f"{one.num_bytes:,}", one.sha256[:16]] for one in record.files]
    return render_page(
        record.title,
        stamp,
        [
            f'<div class="summary">{sentences}</div>',
            render_section(
                "Every code",
                f"<figure>{plot_code_lengths(record)}<figcaption>Bits per byte of {record.num_bytes:,} bytes; what the decoder "
                "must have is not counted. Gray: real files. Bars with an interval: the sum of −log₂ p, which arithmetic coding "
                "reaches up to a few bytes.</figcaption></figure>",
                render_table(["code", "bits per byte", "with decoder", "the decoder must have"], codes),
                f"<dl>{told}</dl>",
            ),
            render_section(
                "What was not tested",
                '<div class="summary limits"><ul>'
                + "".join(f"<li>{escape(one)}</li>" for one in record.not_tested)
                + "</ul></div>",
            ),
            _letters_section(record),
            _guessing_section(record),
            _approximations_section(record),
            render_section("Files", render_table(["role", "path", "bytes", "SHA-256"], files)),
            render_environment(record.environment, record.command),
        ],
    )


def render_entropy_markdown(record: EntropyRecord) -> str:
    """An entropy run as Markdown."""
    parts = [
        f"## {record.title}",
        " ".join(entropy_sentences(record)),
        render_markdown_table(CODE_HEAD, code_rows(record)),
        *([render_markdown_table(LETTER_HEAD, letter_rows(record))] if record.letters else []),
        "### Not tested\n\n" + "\n".join(f"- {one}" for one in record.not_tested),
        f"{record.created_utc}, seed {record.seed}, {record.environment.cpu}.",
    ]
    return "\n\n".join(parts) + "\n"
