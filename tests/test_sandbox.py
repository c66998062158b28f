"""The sandbox's worker is killed and replaced, whatever it is made to do, and leaves nothing."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reason_env.sandbox import (
    Sandbox,
    SandboxCrash,
    SandboxError,
    SandboxMemory,
    SandboxRaised,
    SandboxStartError,
    SandboxTimeout,
)

Make = Callable[..., Sandbox]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes sandboxes for a function of `sandbox_functions`, and closes them."""
    made: list[Sandbox] = []

    def make(name: str, **options: Any) -> Sandbox:
        made.append(Sandbox(f"sandbox_functions:{name}", **{"seconds": 20, **options}))
        return made[-1]

    yield make
    for box in made:
        box.close()


def pid_of(box: Sandbox) -> int:
    assert box._worker is not None
    return box._worker.process.pid


def is_gone(pid: int, seconds: float = 10) -> bool:
    """Whether a process ends in time; one that nobody has waited for counts as ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if stat.rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -7,
        10**100,
        0.1,
        float("inf"),
        "",
        "line\nfeed \u2028 \x00 \ud800 \N{GRINNING FACE}",
        [1, [2, [3]]],
        {"a": {"b": [None]}},
        "x" * 10**6,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_come_back(make: Make, value: Any) -> None:
    assert make("echo").call(value) == value


def test_worker_persists_and_is_made_anew_after_close(make: Make) -> None:
    with make("count") as box:
        first, calls = box.call()
        assert [first, calls + 1] == box.call()
    assert is_gone(first)
    box.close()
    second, calls = box.call()
    assert second != first
    assert calls == 1


def test_starts_lazily(make: Make) -> None:
    assert make("echo")._worker is None


@pytest.mark.parametrize(
    ("name", "args", "type_name", "message"),
    [
        ("fail", ["value", "x = 3"], "ValueError", "x = 3"),
        ("fail", ["value", "long" * 1000], "ValueError", "long" * 125),
        ("fail", ["exit"], "SystemExit", ""),
        ("fail", ["stop"], "KeyboardInterrupt", ""),
        ("fail_without_text", [], "Unprintable", ""),
        ("recurse", [0], "RecursionError", "maximum recursion depth exceeded"),
        ("echo", [1, 2], "TypeError", "echo() takes 1 positional argument but 2 were given"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_exceptions_are_told_and_the_worker_lives(
    make: Make, name: str, args: list[Any], type_name: str, message: str
) -> None:
    box = make(name)
    with pytest.raises(SandboxRaised) as caught:
        box.call(*args)
    assert caught.value.type_name == type_name
    assert caught.value.message.startswith(message)
    assert len(caught.value.message) <= 500
    assert str(caught.value) == f"{type_name}: {caught.value.message}"
    pid = pid_of(box)
    with pytest.raises(SandboxRaised):
        box.call(*args)
    assert pid_of(box) == pid


def test_results_must_be_json_and_not_too_long() -> None:
    with (
        Sandbox("builtins:complex") as box,
        pytest.raises(SandboxRaised, match="complex is not JSON serializable"),
    ):
        box.call(1, 2)
    with Sandbox("builtins:list") as box:
        assert box.call("ab") == ["a", "b"]
        with pytest.raises(SandboxRaised, match="at most 4194304 can be sent"):
            box.call("x" * 2**20)
        assert box.call("cd") == ["c", "d"]


def test_arguments_must_be_json_and_not_too_long(make: Make) -> None:
    box = make("echo")
    with pytest.raises(TypeError, match="not JSON serializable"):
        box.call({1, 2})
    with pytest.raises(ValueError, match="at most 4194304 can be sent"):
        box.call("x" * 2**22)
    assert box.call(3) == 3


KILLED = [
    ("sleep", [100], {"seconds": 0.3}, SandboxTimeout, "more than 0.3 s"),
    ("loop", [], {"seconds": 0.3}, SandboxTimeout, "more than 0.3 s"),
    ("power", [], {"seconds": 0.3}, SandboxTimeout, "more than 0.3 s"),
    ("eat", [300], {"megabytes": 200}, SandboxMemory, "out of memory"),
    ("eat_slowly", [], {"megabytes": 200}, SandboxMemory, "out of memory"),
    ("quit_at_once", [0], {}, SandboxCrash, "exited with code 0"),
    ("quit_at_once", [3], {}, SandboxCrash, "exited with code 3"),
    ("crash", [], {}, SandboxCrash, "ended by signal 11"),
    ("overflow_stack", [], {}, SandboxCrash, "ended by signal 11"),
    ("close_everything", [], {}, SandboxCrash, "The worker"),
    ("write_junk", ["junk\n"], {}, SandboxCrash, "Not a reply: b'junk"),
    ("write_junk", ["[1, 2]\n"], {}, SandboxCrash, "Not a reply"),
    ("write_junk", ['[99, "result", 1]\n'], {}, SandboxCrash, "Not a reply"),
    ("write_junk", ["[" * 10**5 + "\n"], {}, SandboxCrash, "Not a reply"),
    ("write_junk", ["x" * 5 * 10**5], {}, SandboxCrash, "Not a reply: b'xxx"),
    ("write_endless_junk", [], {}, SandboxCrash, "Not a reply: more than 4194304 bytes"),
]


@pytest.mark.parametrize(("name", "args", "options", "error", "message"), KILLED)
def test_killed_and_replaced(
    make: Make, name: str, args: list[Any], options: Any, error: type[SandboxError], message: str
) -> None:
    box = make("call", **options)
    echo = ["echo", "still here"]
    assert box.call(*echo) == "still here"
    pid = pid_of(box)
    start = time.monotonic()
    with pytest.raises(error, match=message):
        box.call(name, *args)
    assert time.monotonic() - start < 10
    assert not Path(f"/proc/{pid}").exists(), "killed, and waited for"
    assert box.call(*echo) == "still here"
    assert pid_of(box) != pid


def test_memory_limit_is_on_top_of_the_imports(make: Make) -> None:
    assert make("eat", megabytes=200).call(150) == 150 * 2**20


@pytest.mark.parametrize("characters", [10, 10**6])
def test_prints_go_nowhere(make: Make, characters: int, capfd: pytest.CaptureFixture[str]) -> None:
    box = make("print_much")
    assert box.call(characters) == "printed"
    assert box.call(characters) == "printed"
    assert capfd.readouterr() == ("", "")


def test_input_is_empty_and_files_cannot_be_written(make: Make, tmp_path: Path) -> None:
    assert make("read_input").call() == ["", ""]
    with pytest.raises(SandboxRaised, match="OSError"):
        make("write_file").call(str(tmp_path / "file"))


def test_its_folder_is_empty_and_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that makes files, be they empty, does not make them where the parent is."""
    monkeypatch.chdir(tmp_path)
    with Sandbox("os:getcwd") as box:
        folder = Path(box.call())
        assert folder.is_dir()
        assert folder != tmp_path
        assert not list(folder.iterdir())
    assert not folder.exists()


def test_modules_are_found_from_where_the_parent_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("def three():\n    return 3\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    with Sandbox("mine:three") as box:
        assert box.call() == 3


def test_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_TEST", "inherited")
    assert make("environment").call("SANDBOX_TEST") == "inherited"
    box = make("environment", environment={"SANDBOX_TEST": "given", "PYTHONHASHSEED": "1"})
    assert [box.call("SANDBOX_TEST"), box.call("PYTHONHASHSEED")] == ["given", "1"]


def test_same_hashes_in_every_worker() -> None:
    hashes = []
    for _ in range(2):
        with Sandbox("builtins:hash") as box:
            hashes.append(box.call("text"))
    assert hashes[0] == hashes[1]


def test_a_call_may_have_its_own_limit(make: Make) -> None:
    box = make("sleep", seconds=0.5)
    box.call(0)
    assert box.call(0.8, seconds=20) == "slept"
    with pytest.raises(SandboxTimeout, match=r"more than 0.1 s"):
        box.call(100, seconds=0.1)


@pytest.mark.parametrize(
    ("entry_point", "message"),
    [
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("sandbox_functions:nothing", "has no attribute 'nothing'"),
        ("sandbox_functions:os.path.sep", "is not a function"),
        ("sandbox_imports:exits", "exited with code 7"),
        ("sandbox_imports:hangs", "not ready after 0.5 s; allow more start_seconds"),
    ],
)
def test_start_errors(
    entry_point: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = {"exits": "print('last words', file=__import__('sys').stderr, flush=True)\nos._exit(7)"}
    body = what.get(entry_point.partition(":")[2], "time.sleep(100)")
    (tmp_path / "sandbox_imports.py").write_text(f"import os, time\n{body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    box = Sandbox(entry_point, start_seconds=0.5 if "hangs" in entry_point else 20)
    for _ in range(2):
        with pytest.raises(SandboxStartError, match=message) as caught:
            box.call()
        assert ("last words" in str(caught.value)) == ("exits" in entry_point)


def test_slow_imports_are_not_charged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sandbox_slow.py").write_text("import time\ntime.sleep(0.6)\nf = len\n")
    monkeypatch.syspath_prepend(tmp_path)
    with Sandbox("sandbox_slow:f", seconds=0.4) as box:
        assert box.call("abc") == 3


def test_cannot_run_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(SandboxStartError, match="Cannot run '/no/such/python'"):
        Sandbox("math:sqrt").call(1)


def test_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Sandbox("math:sqrt")
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        with pytest.raises(SandboxStartError, match="needs Linux or macOS"):
            box.call(1)


@pytest.mark.parametrize("entry_point", ["", "math", "math:", ":sqrt"])
def test_entry_point_is_checked(entry_point: str) -> None:
    with pytest.raises(ValueError, match=f"'package.module:function', received '{entry_point}'"):
        Sandbox(entry_point)


@pytest.mark.parametrize("limit", ["seconds", "megabytes", "start_seconds"])
def test_limits_are_checked(limit: str) -> None:
    with pytest.raises(ValueError, match=f"{limit}=0"):
        Sandbox("math:sqrt", **{limit: 0})  # type: ignore[arg-type]


def test_limit_of_a_call_is_checked(make: Make) -> None:
    with pytest.raises(ValueError, match="must be positive, received -1"):
        make("echo").call(1, seconds=-1)


def test_threads_get_their_own_replies(make: Make) -> None:
    box = make("echo")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(box.call, range(1000))) == list(range(1000))


def test_waiting_is_not_charged(make: Make) -> None:
    """Six calls queue up for 1.2 s in all, each well within its own 0.8 s."""
    box = make("sleep", seconds=0.8)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(box.call, [0.2] * 6)) == ["slept"] * 6


def test_a_breach_hurts_only_its_own_call(make: Make) -> None:
    box = make("call", seconds=0.5)

    def result(number: int) -> Any:
        try:
            return box.call("sleep", 100) if number % 4 == 1 else box.call("echo", number)
        except SandboxTimeout:
            return "timeout"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(result, range(12)))
    assert found == ["timeout" if number % 4 == 1 else number for number in range(12)]


def test_started_by_a_thread_that_ends(make: Make) -> None:
    """The worker's life hangs on the process, not on the thread that made it."""
    box = make("count")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(box.call()))
    thread.start()
    thread.join()
    time.sleep(0.1)
    pid, calls = found[0]
    assert box.call() == [pid, calls + 1]


def test_a_worker_that_died_between_calls_is_replaced(make: Make) -> None:
    box = make("count")
    pid, _ = box.call()
    os.kill(pid, signal.SIGKILL)
    # Waited for, not only seen as a zombie: a second thread may hold the socket for a moment more.
    box._worker.process.wait()
    assert box.call()[1] == 1


def test_children_of_the_worker_die_with_it(make: Make, tmp_path: Path) -> None:
    box = make("leave_child")
    child = box.call()
    assert not is_gone(child, 0.1)
    box.close()
    assert is_gone(child)

    told = tmp_path / "child"
    told.touch()
    with pytest.raises(SandboxTimeout):
        make("leave_child_and_hang", seconds=0.5).call(str(told))
    assert is_gone(int(told.stat().st_mtime))


def test_interrupted_call_does_not_leave_its_reply(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make("sleep")
    box.call(0)
    pid = pid_of(box)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        box.call(1.0)
    timer.join()
    assert is_gone(pid)
    assert box.call(0) == "slept"


def test_collected_sandbox_ends_its_worker() -> None:
    box = Sandbox("os:getpid")
    pid = box.call()
    del box
    gc.collect()
    assert not Path(f"/proc/{pid}").exists()


def test_no_descriptor_is_left(make: Make) -> None:
    before = set(os.listdir("/proc/self/fd"))
    box = make("call", seconds=0.2)
    for name in ["quit_at_once", "sleep"]:
        with pytest.raises(SandboxError):
            box.call(name, 5)
    box.close()
    with pytest.raises(SandboxStartError):
        Sandbox("no_such_module:f").call()
    assert set(os.listdir("/proc/self/fd")) == before


FORKING = """
import os, sys, threading
from reason_env.sandbox import Sandbox
box = Sandbox("os:getpid")
first = box.call()
box._lock.acquire()  # as if another thread were calling just now
child = os.fork()
if child == 0:
    second = box.call()
    assert second not in (first, os.getpid()), (first, second)
    box.close()
    sys.exit(5)  # runs what is registered to run at exit
_, status = os.waitpid(child, 0)
box._lock.release()
assert os.waitstatus_to_exitcode(status) == 5
assert box.call() == first, "the child must not have ended it"
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parent,
    )


def test_forked_child_has_its_own_worker() -> None:
    done = run(FORKING)
    assert (done.returncode, done.stderr) == (0, "")


def test_program_ends_without_a_trace() -> None:
    code = (
        "from reason_env.sandbox import Sandbox; box = Sandbox('os:getpid'); print(box.call()); "
        "other = Sandbox('os:getpid'); print(other.call()); del other"
    )
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(is_gone(int(pid)) for pid in done.stdout.split())


ORPHANING = """
import json, sys, threading, time
from reason_env.sandbox import Sandbox
name, *args = json.loads(sys.argv[1])
box = Sandbox("sandbox_functions:call", seconds=20)
box.call("echo", 1)
print(box._worker.process.pid, flush=True)
threading.Thread(target=box.call, args=[name, *args], kwargs={"seconds": 0.5}).start()
time.sleep(100)
"""


@pytest.mark.parametrize("call", [["echo", 1], ["sleep", 100], ["loop"], ["power"]], ids=str)
def test_worker_dies_with_a_killed_parent(call: list[Any]) -> None:
    """Idle, asleep, in Python, and in C with the interpreter's lock held."""
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANING, json.dumps(call)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parent,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.2)
        assert not is_gone(pid, 0.1)
        parent.kill()
    assert is_gone(pid, 15 if call == ["power"] else 2)
