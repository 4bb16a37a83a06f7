"""How databases are connected, in the order in which `couchapp replicate` takes them."""

from collections import deque

FLAGS = {"chain": "--chain", "star": "--star", "ring": "--ring", "tree": "--tree"}


def edges(shape, nodes):
    """Pairs of numbers; each pair is replicated in both directions."""
    if shape == "star":
        return [(0, node) for node in range(1, nodes)]
    if shape == "tree":
        return [((node - 1) // 2, node) for node in range(1, nodes)]
    chain = [(node - 1, node) for node in range(1, nodes)]
    return chain + [(nodes - 1, 0)] if shape == "ring" and nodes > 2 else chain


def farthest(shape, nodes, start):
    """How many hops it is from a node to the one that is farthest from it."""
    neighbours = [[] for _ in range(nodes)]
    for one, other in edges(shape, nodes):
        neighbours[one].append(other)
        neighbours[other].append(one)
    hops, queue = {start: 0}, deque([start])
    while queue:
        node = queue.popleft()
        for other in neighbours[node]:
            if other not in hops:
                hops[other] = hops[node] + 1
                queue.append(other)
    return max(hops.values())
