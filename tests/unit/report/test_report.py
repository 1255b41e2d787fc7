"""Reports: every number with its interval, nothing fetched, nothing unescaped, the same bytes twice."""

import re
from html.parser import HTMLParser

import pytest

from custodiet.records.base import Measurement
from custodiet.records.study import Claim, Curve, CurveLine, CurvePoint, StudyRecord
from custodiet.report.html import render_html
from custodiet.report.markdown import render_markdown, render_study_markdown
from custodiet.report.study import render_study_html
from custodiet.report.text import format_measurement, headline_lines, summary_sentences
from tests.sample_record import make_environment, make_record

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("options", [{}, {"one_arm": True}, {"hostile": True}])
def test_html_is_whole_and_byte_stable(options):
    record = make_record(**options)
    page = render_html(record)
    assert page == render_html(type(record).parse(__import__("json").loads(record.to_json())))
    parser = Balanced()
    parser.feed(page)
    assert parser.open == [] and "svg" in parser.tags
    assert not parser.tags & {"script", "link", "iframe", "img", "object"}
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#)", page.replace("xlink:href", "href"))
    assert "url(http" not in page and "@import" not in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert "var(--series-1)" in page and "#0a0001" not in page
    assert all(f'"#{one}"' in page or f"(#{one})" in page for one in ids)


def test_hostile_text_is_escaped():
    page = render_html(make_record(hostile=True))
    assert "<script" not in page
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in page


def test_every_measurement_of_the_overview_stands_with_its_interval():
    record = make_record()
    page, markdown = render_html(record), render_markdown(record)
    for arm in record.arms.values():
        for one, percent, digits in [
            (arm.extraction_50_pooled, True, 3),
            (arm.control_extraction_50, True, 3),
            (arm.membership["loss"].auc, False, 3),
            (arm.validation_loss_nats, False, 3),
            (arm.exposure_bits, False, 2),
            (arm.memorized_bits_member_minus_control, False, 1),
        ]:
            value, interval = format_measurement(one, percent=percent, digits=digits)
            assert f"{value}<small>{interval}</small>" in page.replace("\N{NO-BREAK SPACE}", " ")
        assert format_measurement(arm.validation_loss_nats)[1] in markdown
    for text in record.not_tested:
        assert text in page and text in markdown


def test_missing_measurements_say_why():
    page = render_html(make_record(one_arm=True))
    assert "no canary was planted" in page
    assert format_measurement(Measurement.missing("no reason to")) == ("–", "no reason to")
    assert format_measurement(None) == ("–", "")


def test_sentences_follow_from_the_numbers():
    record = make_record()
    text = " ".join(summary_sentences(record))
    assert "cross-entropy model continues 100 % (74–100 %)" in text
    assert "goldfish model continues 0 % (0–26 %)" in text
    assert "Goldfish loss does not stop membership inference" in text
    arm = record.arms["goldfish"]
    blind = arm.membership["loss"].model_copy(update={"auc": Measurement(value=0.5, low=0.4, high=0.6, num=9)})
    arms = {**record.arms, "goldfish": arm.model_copy(update={"membership": {**arm.membership, "loss": blind}})}
    text = " ".join(summary_sentences(record.model_copy(update={"arms": arms})))
    assert "does not stop" not in text and "does not tell reliably" in text
    assert headline_lines(record)[-1].startswith("Not tested: 2")


def test_study_reports():
    claim = Claim(
        name="a_claim", unit="u", published=0.5, source="<somebody>", tolerance=(0, 1), measured=0.4, low=None, high=None,
        verdict="reproduced",
    )  # fmt: skip
    record = StudyRecord(
        study="s", title="T", created_utc="2026-01-01T00:00:00Z", seed=0, elapsed_s=1.0, environment=make_environment(),
        claims=[claim, claim.model_copy(update={"published": None, "measured": None, "verdict": "new", "tolerance": None})],
    )  # fmt: skip
    page = render_study_html(record)
    assert "<svg" not in page and "Curves" not in page
    assert "&lt;somebody&gt;" in page and "reproduced" in page
    assert "| a_claim | 0.5 | 0.4 |" in render_study_markdown(record)


def test_a_curve_of_a_study_is_plotted_with_its_numbers():
    share = Measurement(value=0.75, low=0.625, high=0.875, num=40)
    points = [CurvePoint(x=1.0, share=share), CurvePoint(x=2.0, share=Measurement.missing("none asked"))]
    curve = Curve(
        title="Right by <depth>", x_label="depth", y_label="right", lines=[CurveLine(label="a line", points=points)],
        reference=0.5, reference_label="guessing", known_to=1.0,
    )  # fmt: skip
    record = StudyRecord(
        study="s", title="T", created_utc="2026-01-01T00:00:00Z", seed=0, elapsed_s=1.0, environment=make_environment(),
        claims=[], curves=[curve],
    )  # fmt: skip
    page = render_study_html(record)
    assert page == render_study_html(record)
    for text in ("Right by &lt;depth&gt;", "a line", "guessing", "beyond the training", "75", "none asked"):
        assert text in page, text
    assert "beyond the training" not in render_study_html(
        record.model_copy(update={"curves": [curve.model_copy(update={"known_to": 2.0})]})
    )
    markdown = render_study_markdown(record)
    assert "| depth | a line |" in markdown and "| 1 | 75" in markdown
