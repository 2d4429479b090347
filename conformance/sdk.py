"""Conformance: the official SDKs, each as its documentation says to set it up, pointed at a running server; the
same as sdk.mjs has."""

import urllib.parse

from amplitude_experiment import LocalEvaluationClient, LocalEvaluationConfig
from amplitude_experiment.exposure import ExposureConfig
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.contrib.provider.ofrep import OFREPProvider


def ofrep_provider(server, scope="server"):
    """OpenFeature over OFREP: a base URL and a header."""
    key = server.keys[scope]
    return OFREPProvider(server.url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})


def flagd_provider(server, selector=None, **options):
    """flagd's in-process provider, with the key as its selector, and a deadline that a machine keeps on which tests
    and compilers run beside each other."""
    address = urllib.parse.urlparse(server.url)
    return FlagdProvider(
        resolver_type=ResolverType.IN_PROCESS,
        host=address.hostname,
        port=address.port,
        selector=f"flagSetId={server.keys['server']}" if selector is None else selector,
        **{"deadline_ms": 10_000, "retry_backoff_ms": 50, "retry_backoff_max_ms": 200, **options},
    )


def amplitude_local(server, scope="server", streaming=False):
    """Amplitude Experiment, local evaluation, started. Exposures are sent after 50 ms instead of 10 s; without
    `streaming` it polls once a minute, so what arrives sooner came over the stream."""
    config = LocalEvaluationConfig(
        server_url=server.url,
        stream_server_url=server.url,
        stream_updates=streaming,
        flag_config_polling_interval_millis=60_000,
        exposure_config=ExposureConfig(
            api_key=server.keys[scope],
            server_url=f"{server.url}/2/httpapi",
            flush_interval_millis=50,
        ),
    )
    client = LocalEvaluationClient(server.keys[scope], config)
    client.start()
    return client


def stop_amplitude(client):
    """Ends a client of `amplitude_local` and what it sends its exposures with."""
    client.stop()
    client.exposure_service.amplitude.shutdown()
