"""A taken or malformed port is named, with the variable that moves it."""

import socket

import pytest

from local_stack.ports import PortError, check_free, read_ports


def test_defaults_and_overrides():
    ports = read_ports({})
    assert (ports.airflow, ports.aws, ports.weather) == (8080, 4566, 4580)
    assert read_ports({"LOCAL_AWS_PORT": "14566"}).aws_url == "http://127.0.0.1:14566"


def test_malformed_ports_are_all_named():
    with pytest.raises(PortError) as caught:
        read_ports({"AIRFLOW_PORT": "eighty", "LOCAL_AWS_PORT": "70000"})
    assert "AIRFLOW_PORT='eighty'" in str(caught.value)
    assert "LOCAL_AWS_PORT='70000'" in str(caught.value)


def test_the_same_port_twice_is_refused():
    with pytest.raises(PortError, match="LOCAL_AWS_PORT=8080"):
        read_ports({"LOCAL_AWS_PORT": "8080"})


def test_a_taken_port_is_named_with_its_variable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError) as caught:
            check_free(
                read_ports(
                    {"LOCAL_AWS_PORT": str(port), "AIRFLOW_PORT": _free_port(), "WEATHER_PORT": _free_port()}
                )
            )
    assert f"Port {port}, for the emulated AWS" in str(caught.value)
    assert "LOCAL_AWS_PORT=" in str(caught.value)
    assert "AIRFLOW_PORT" not in str(caught.value)


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])
