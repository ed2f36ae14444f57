"""Probes: asking a container how it is, from outside of it.

An image needs no curl and no nc for it: minirun itself connects to the pod's
address, and only ``exec`` runs something inside. Nothing here waits, and there
are no threads (a process made by clone3 must find the interpreter as it was
left): a probe is a generator that says which descriptor it waits for, and one
epoll(7) watches them all. Read in this order:

    conversation.py   what a probe is made of, and who drives it
    tcp.py            the smallest one
    connection.py     TCP without waiting; tls.py around it; names.py finds addresses
    http.py           httpGet
    grpc.py           grpc, on http2.py and hpack.py
    command.py        exec
    ask.py            from a manifest's Probe to one of these
    counting.py       thresholds, delays, periods: pure
    prober.py         all probes of a pod, in one process

Layer: pod. Kubernetes, "Configure Liveness, Readiness and Startup Probes".
"""
