import subprocess
import sys

import pytest

ENDS_ON_A_SIGNAL = """
import signal, threading, time
from local_stack.aws.stop_signal import StopSignal

stop_signal = StopSignal()

def take_the_signal():
    time.sleep({delay})
    signal.pthread_kill(threading.get_ident(), signal.{name})
    threading.Event().wait()

threading.Thread(target=take_the_signal, daemon=True).start()
time.sleep({busy})
stop_signal.wait()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(("delay", "busy"), [(0.3, 0), (0, 0.3)], ids=["while_waiting", "before"])
def test_a_signal_that_another_thread_takes_ends_the_wait(name: str, delay: float, busy: float) -> None:
    program = ENDS_ON_A_SIGNAL.format(name=name, delay=delay, busy=busy)
    assert subprocess.run([sys.executable, "-c", program], timeout=30, check=False).returncode == 0
