"""Shannon's guessing game at the terminal, or played by a script on standard input."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from custodiet.cli.common import print_json
from custodiet.errors import CorpusError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from custodiet.entropy.game import GuessingGame
    from custodiet.records.entropy import GuessingBounds

__all__ = ["play"]

SHOWN = 60
RULES = (
    "Guess the letter at the mark until it is right: a to z, _ for the space (case and punctuation are gone). "
    "? gives up, quit or Ctrl-D ends the game."
)


def play(data: bytes, others: list[bytes], *, order: int, num_letters: int, seed: int, json: bool) -> None:
    """Play, then say what the guesses bound, beside an n-gram that guessed the same letters.

    Raises:
        CorpusError: the bytes are no text.
        TooFewSamplesError: the text has fewer than 2 letters.
        UsageError: no letter is asked for.
    """
    from rich.console import Console

    from custodiet.entropy.game import GuessingGame

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError("the game needs text", expected="UTF-8", got=f"byte {error.start:,} is no UTF-8") from None
    game = GuessingGame(text, num_letters=num_letters, seed=seed)
    console = Console(stderr=json, highlight=False, markup=False)
    console.print(RULES + "\n", soft_wrap=not sys.stdin.isatty())
    while not game.over:
        if not _ask(game, console):
            console.print()
            break
    if not len(game.ranks):
        console.print("No letter was guessed.")
        if json:
            print_json({"schema": "custodiet.guess/1", "ranks": [], "you": None, "ngram": None})
        return
    you, machine = _bounds(game, others, order=order, seed=seed)
    _show_result(console, you, machine)
    if json:
        found = {"you": you.model_dump(mode="json"), "ngram": machine.model_dump(mode="json")}
        print_json({"schema": "custodiet.guess/1", "seed": seed, "ranks": game.ranks.tolist(), **found})


def _ask(game: GuessingGame, console: Console) -> bool:
    """One guess; False when the player ends the game."""
    from rich.text import Text

    if not game.tried:
        line = Text.assemble((f"{len(game.ranks) + 1:>3}  ", "dim"), "…", game.shown(SHOWN), ("▁", "bold reverse"))
        console.print(line, soft_wrap=True)
    console.print(f"     guess {len(game.tried) + 1}: ", end="")
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        console.print(answer.rstrip("\n"))
    typed = answer.rstrip("\r\n").lower()
    if not answer or typed.strip() == "quit":
        return False
    if typed.strip() == "?":
        letter = game.give_up()
        console.print(f"     it was {_named(letter)}: counted as guess {game.ranks[-1]}", style="yellow")
        return True
    letter = " " if typed.strip() == "" and typed else typed.strip().replace("_", " ")
    if letter in game.tried:
        console.print("     tried before", style="dim")
        return True
    try:
        if game.guess(letter):
            number = int(game.ranks[-1])
            console.print(
                f"     {_named(letter)} is right{', at once' if number == 1 else f', guess {number}'}", style="green"
            )
    except UsageError:
        console.print("     one letter a to z, _ for the space, ? to give up, quit to end", style="dim")
    return True


def _named(letter: str) -> str:
    return "the space" if letter == " " else letter


def _bounds(game: GuessingGame, others: list[bytes], *, order: int, seed: int) -> tuple[GuessingBounds, GuessingBounds]:
    from custodiet.entropy.adaptive import AdaptiveNGram
    from custodiet.entropy.english import ALPHABET
    from custodiet.entropy.guessing import guessing_bounds, letter_ids
    from custodiet.entropy.text_report import play_machine
    from custodiet.records.base import Measurement
    from custodiet.records.entropy import GuessingBounds

    ranks = game.ranks
    lower, upper = guessing_bounds(ranks, len(ALPHABET), seed=seed)
    you = GuessingBounds(
        player="you",
        num_letters=len(ranks),
        mean_guesses=float(ranks.mean()),
        share_at_first_guess=float((ranks == 1).mean()),
        lower_bits_per_letter=Measurement.of(lower),
        upper_bits_per_letter=Measurement.of(upper),
        code_bits_per_letter=Measurement.missing("a person's probabilities are not asked for"),
    )
    model = AdaptiveNGram(order=order, vocab_size=len(ALPHABET))
    for other in others:
        model.prime(letter_ids(other.decode("utf-8", "replace")))
    model.log2_probs(game.ids[: game.start])
    played = game.ids[game.start : game.start + len(ranks)]
    return you, play_machine(model, played, player="n-gram that has read the text before", seed=seed)


def _show_result(console: Console, you: GuessingBounds, machine: GuessingBounds) -> None:
    from rich.table import Table

    from custodiet.entropy.guessing import SHANNON_HUMAN_BITS

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("bits per letter", "at least", "at most", "letters", "right at once", "mean guesses"):
        table.add_column(head, justify="left" if head == "bits per letter" else "right", no_wrap=True)
    rows: list[tuple[str, GuessingBounds]] = [("you", you), ("n-gram", machine)]
    for name, one in rows:
        bounds: list[Any] = [one.lower_bits_per_letter.value, one.upper_bits_per_letter.value]
        table.add_row(
            name, *(f"{value:.2f}" for value in bounds), f"{one.num_letters}", f"{one.share_at_first_guess:.0%}",
            f"{one.mean_guesses:.2f}",
        )  # fmt: skip
    low, high = SHANNON_HUMAN_BITS
    table.add_row("Shannon 1951", f"{low:.2f}", f"{high:.2f}", "100", "", "")
    console.print()
    console.print(table)
    upper = you.upper_bits_per_letter
    if upper.low is not None and upper.high is not None:
        console.print(
            f"\nYour upper bound has the 95 % interval {upper.low:.2f} to {upper.high:.2f}; few letters make it too low. "
            "The n-gram had read all of the text before the first letter.",
            soft_wrap=True,
        )
