"""Networks: a container's own stack, and every link of the way to it.

Layer ``network``, beside ``image`` and ``isolation``. A network namespace has
interfaces, addresses, routes and rules of its own, and nothing in them. A veth
pair is a cable between two namespaces; a bridge is the switch that the host's
ends are plugged into; an address and a route make it reachable; NAT leads from
the world to it and back. In reading order:

    networks.py    what a network is, and where it is kept
    subnets.py     which addresses are free for one
    bridge.py      the switch, made on first use
    addresses.py   who has which address
    attach.py      the cable: the steps of a container's start
    table.py       the one nftables table: NAT, published ports, walls between networks
    ports.py       what -p means, and who has which port
    ruleset.py     what all tables of the machine hold, whoever made them
    forwarding.py  whose other rules are in a packet's way
    names.py       /etc/hosts and /etc/resolv.conf
    cni/           the same by plugins of others
    map/           who is wired to whom, read back from the kernel
"""
