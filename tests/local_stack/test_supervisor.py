"""Processes are started, watched, stopped; a crash shows the end of its log; nothing is left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from local_stack.supervisor import MARK, Service, StackError, Supervisor, kill_leftovers

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def marked(state_dir):
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(state_dir):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_stops_what_it_started_with_its_children(tmp_path):
    parent = f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(600)"
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Service("family", [sys.executable, "-c", parent]))
        wait_until(lambda: len(marked(tmp_path)) == 2)
        supervisor.check()
    assert marked(tmp_path) == []


def test_a_service_is_ready_when_its_url_answers(tmp_path):
    with Supervisor(tmp_path) as supervisor:
        server = textwrap.dedent("""
            import http.server
            server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
            print(server.server_port, flush=True)
        """)
        port = subprocess.run(
            [sys.executable, "-c", server], capture_output=True, text=True, check=True
        ).stdout
        argv = [sys.executable, "-m", "http.server", port.strip(), "--bind", "127.0.0.1"]
        supervisor.start(Service("web", argv, ready_url=f"http://127.0.0.1:{port.strip()}/"))
        supervisor.check()


def test_a_crash_at_the_start_shows_the_end_of_the_log(tmp_path):
    crash = "raise SystemExit('no such table: users')"
    with Supervisor(tmp_path) as supervisor, pytest.raises(StackError) as caught:
        supervisor.start(Service("web", [sys.executable, "-c", crash], ready_url="http://127.0.0.1:9/"))
    assert "web exited while it started" in str(caught.value)
    assert "no such table: users" in str(caught.value)
    assert str(tmp_path / "logs" / "web.log") in str(caught.value)


def test_a_service_that_never_gets_ready_is_named(tmp_path):
    with Supervisor(tmp_path) as supervisor, pytest.raises(StackError, match="web was not ready after 1 s"):
        supervisor.start(Service("web", SLEEPER, ready_url="http://127.0.0.1:9/", timeout_seconds=1))
    assert marked(tmp_path) == []


def test_a_later_crash_is_noticed(tmp_path):
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Service("worker", SLEEPER))
        wait_until(lambda: "up" in (tmp_path / "logs" / "worker.log").read_text())
        os.kill(marked(tmp_path)[0], signal.SIGKILL)
        wait_until(lambda: not marked(tmp_path))
        with pytest.raises(StackError, match=r"worker stopped unexpectedly[\s\S]*up"):
            supervisor.check()


def test_a_program_that_ignores_sigterm_is_killed(tmp_path):
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER[2]
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Service("stubborn", [sys.executable, "-c", stubborn], timeout_seconds=1))
        wait_until(lambda: "up" in (tmp_path / "logs" / "stubborn.log").read_text())
    assert marked(tmp_path) == []


def test_only_one_supervisor_per_state_folder(tmp_path):
    with Supervisor(tmp_path), pytest.raises(StackError, match="already running"):
        Supervisor(tmp_path).__enter__()
    with Supervisor(tmp_path):
        pass


def test_what_a_killed_supervisor_left_is_gone_at_the_next_start(tmp_path):
    killed = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from local_stack.supervisor import Service, Supervisor
        with Supervisor(Path({str(tmp_path)!r})) as supervisor:
            supervisor.start(Service("worker", {SLEEPER!r}))
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -signal.SIGKILL
    wait_until(lambda: marked(tmp_path))
    with Supervisor(tmp_path):
        assert marked(tmp_path) == []


def test_a_process_that_changes_its_title_keeps_its_mark(tmp_path):
    renamed = "import setproctitle, time; setproctitle.setproctitle('x' * 4000); time.sleep(600)"
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Service("renamed", [sys.executable, "-c", renamed]))
        [pid] = marked(tmp_path)
        wait_until(lambda: psutil.Process(pid).cmdline()[0].startswith("xxx"))
        assert marked(tmp_path) == [pid]


def test_leftovers_of_another_checkout_are_left_alone(tmp_path):
    other = tmp_path / "other"
    process = subprocess.Popen(SLEEPER, env={**os.environ, MARK: str(other)}, stdout=subprocess.DEVNULL)
    try:
        assert kill_leftovers(tmp_path) == []
        assert process.poll() is None
        wait_until(lambda: marked(other) == [process.pid])
        assert kill_leftovers(other) == [process.pid]
    finally:
        process.kill()
        process.wait()


def test_nothing_is_started_once_everything_is_being_stopped(tmp_path):
    with Supervisor(tmp_path) as supervisor:
        supervisor.stop_all()
        with pytest.raises(StackError, match="being stopped"):
            supervisor.start(Service("late", SLEEPER))
        with pytest.raises(StackError, match="being stopped"):
            supervisor.check()
    assert marked(tmp_path) == []
