import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamweave.errors import HookFailed, HookTimedOut
from streamweave.hooks.scripts import LARGEST_ANSWER, ScriptLimits, answer_of

LIMITS = ScriptLimits(seconds=20, memory_bytes=512 << 20)
SECRET = "postgresql://streamweave:geheim@127.0.0.1/streamweave"


def run(script: Any, code: str, question: bytes = b"{}", limits: ScriptLimits = LIMITS) -> Any:
    return json.loads(answer_of(script(code), question, limits))


def failing(script: Any, code: str, limits: ScriptLimits = LIMITS) -> HookFailed:
    with pytest.raises(HookFailed) as failure:
        answer_of(script(code), b"{}", limits)
    return failure.value


def test_a_script_reads_the_question_and_writes_the_answer(script: Any) -> None:
    code = """
        import json, sys
        json.dump({"told": json.load(sys.stdin), "arguments": sys.argv, "name": __name__}, sys.stdout)
    """
    answer = run(script, code, '{"name": "Größe"}'.encode())
    assert answer == {"told": {"name": "Größe"}, "arguments": ["script.py"], "name": "__main__"}


def test_nothing_of_ours_reaches_a_script(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment, nor open files and connections, nor the arguments of the command."""
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", SECRET)
    monkeypatch.setenv("STREAMWEAVE_ENCRYPTION_KEYS", "geheim")
    monkeypatch.setenv("PGPASSWORD", "geheim")
    monkeypatch.setenv("PYTHONPATH", "/geheim")
    code = """
        import json, os, sys
        open_files = []
        for descriptor in range(256):
            try:
                os.fstat(descriptor)
            except OSError:
                continue
            open_files.append(descriptor)
        told = {"environment": dict(os.environ), "path": sys.path, "open": open_files}
        told["command"] = open("/proc/self/cmdline").read()
        print(json.dumps(told))
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        told = run(script, code)
    assert set(told["environment"]) <= {
        *("PATH", "LANG", "LC_CTYPE", "HOME", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }
    assert "geheim" not in json.dumps(told)
    assert told["open"] == [0, 1, 2]
    assert not any("site-packages" in path for path in told["path"])


def test_a_script_of_root_is_run_by_nobody_who_owns_anything(script: Any) -> None:
    code = """
        import json, os
        print(json.dumps({"ids": [os.getresuid(), os.getresgid(), os.getgroups()], "pid": os.getpid(),
                          "session": os.getsid(0), "group": os.getpgid(0), "mask": os.umask(0)}))
    """
    told = run(script, code)
    assert told["pid"] == told["session"] == told["group"] != os.getpid()
    assert told["mask"] == 0o077
    if os.geteuid() == 0:
        users, groups, others = told["ids"]
        assert set(users) == set(groups)
        assert 61_184 <= users[0] < 65_520
        assert others == []


def test_a_script_of_root_can_not_read_what_is_ours(script: Any, tmp_path: Path) -> None:
    """Where we are not root it runs as ourselves, and may: that is for the folder's administrator to know."""
    (tmp_path / "keys").write_text("geheim")
    (tmp_path / "keys").chmod(0o600)
    code = f"""
        import json
        read = []
        for path in ({str(tmp_path / "keys")!r}, "/proc/{os.getpid()}/environ"):
            try:
                open(path, "rb").read()
                read.append(path)
            except PermissionError:
                pass
        print(json.dumps(read))
    """
    read = run(script, code)
    assert read == [] or os.geteuid() != 0


def test_a_script_works_in_an_empty_folder_of_its_own_that_is_gone_afterwards(script: Any) -> None:
    code = """
        import json, os
        open("notes", "w").write("x")
        print(json.dumps([os.getcwd(), sorted(os.listdir())]))
    """
    (first, held), (second, _) = run(script, code), run(script, code)
    assert held == ["notes", "script.py"]
    assert first != second
    assert not Path(first).exists()


def test_folders_in_folders_by_the_thousand_are_gone_afterwards_too(script: Any) -> None:
    """Python removes a folder by a call for each folder in it, and calls within calls have an end."""
    code = """
        import json, os
        home = os.getcwd()
        for _ in range(3000):
            os.mkdir("a")
            os.chdir("a")
        print(json.dumps(home))
    """
    assert not Path(run(script, code)).exists()


def test_a_script_that_takes_too_long_is_ended(script: Any) -> None:
    code = """
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        print(os.getpid(), file=sys.stderr, flush=True)
        time.sleep(600)
    """
    failure = failing(script, code, ScriptLimits(1, 512 << 20))
    assert isinstance(failure, HookTimedOut)
    assert str(failure) == "the script gave no answer within 1 seconds"
    assert not psutil.pid_exists(int(failure.diagnostics))


def test_a_script_can_not_start_processes_that_outlive_it(script: Any) -> None:
    code = """
        import json, os, subprocess, threading
        refused = []
        for start in (os.fork, lambda: subprocess.run(["/bin/true"]), threading.Thread(target=print).start):
            try:
                start()
            except (OSError, RuntimeError):
                refused.append(True)
        print(json.dumps(refused))
    """
    assert run(script, code) == [True, True, True]


def test_computing_is_limited(script: Any) -> None:
    """The clock's limit would end it too: the processor's is met a moment earlier or later."""
    assert isinstance(failing(script, "while True: pass", ScriptLimits(1, 512 << 20)), HookFailed)


def test_memory_is_limited(script: Any) -> None:
    failure = failing(script, "x = bytearray(2 << 30)", ScriptLimits(20, 256 << 20))
    assert str(failure) == "the script ended with exit status 1"
    assert failure.diagnostics.endswith("MemoryError")


def test_an_answer_has_a_largest_size(script: Any) -> None:
    assert len(answer_of(script(f"print('x' * {LARGEST_ANSWER - 1})"), b"{}", LIMITS)) == LARGEST_ANSWER
    failure = failing(script, f"print('x' * {LARGEST_ANSWER})")
    assert "File too large" in failure.diagnostics or "SIGXFSZ" in str(failure)


def test_standard_error_is_kept_short_and_storable(script: Any) -> None:
    failure = failing(script, "import sys; sys.stderr.buffer.write(b'x' * 9000 + b'\\x00\\xff'); sys.exit(3)")
    assert str(failure) == "the script ended with exit status 3"
    assert len(failure.diagnostics) == 4000
    assert failure.diagnostics.endswith("x\ufffd\ufffd")


def test_limits_can_not_be_raised_again_and_no_core_is_left(script: Any) -> None:
    code = """
        import json, resource
        limits = [resource.RLIMIT_CORE, resource.RLIMIT_NPROC, resource.RLIMIT_AS, resource.RLIMIT_NOFILE]
        found = [resource.getrlimit(each) for each in limits]
        try:
            resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))
            found.append("raised")
        except (ValueError, OSError):
            pass
        print(json.dumps(found))
    """
    assert run(script, code) == [[0, 0], [0, 0], [512 << 20] * 2, [64, 64]]


def test_several_scripts_run_side_by_side(script: Any) -> None:
    held = script("import sys; print(sys.stdin.read())")
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda each=each: answers.append(answer_of(held, str(each).encode(), LIMITS)))
        for each in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [f"{each}\n".encode() for each in range(8)]
