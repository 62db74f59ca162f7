"""The verdict of a proof."""

from worker.verifying.findings import EXAMPLES, Findings, Result


def test_what_cannot_be_judged_is_no_pass_and_no_fault_and_a_fault_beside_it_counts() -> None:
    findings = Findings()
    assert findings.result is Result.PASSED
    findings.leave_open("who wrote it", "topic partition 0, offset 7", 12)
    assert (findings.result, findings.wrong, findings.undecided) == (Result.UNDECIDED, 0, 12)
    assert findings.lines() == ["undecided: who wrote it: topic partition 0, offset 7"]
    findings.add("missing", "offset 3")
    assert (findings.result, findings.wrong, findings.undecided) == (Result.FAILED, 1, 12)


def test_there_are_no_more_examples_than_can_be_read() -> None:
    findings = Findings()
    for offset in range(EXAMPLES + 5):
        findings.add("missing", f"offset {offset}")
    assert findings.lines()[EXAMPLES:] == ["missing: and 5 more"]
