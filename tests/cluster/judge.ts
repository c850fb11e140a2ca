/** Whether what members have written down is what process groups promise. */
import {
  type Entry,
  faults,
  type Journal,
  leavers,
  list,
  lost,
  nodeOf,
} from "./journal.ts";

/** What a member saw from one ring to the next. */
interface Segment {
  /** The ring. */
  readonly ring: string;
  /** Its nodes. */
  readonly nodes: readonly string[];
  /** The one before it; none if the member has joined in this one. */
  readonly previous?: Segment;
  /** The one after it; none if the journal ends, or the daemon was lost. */
  next?: string;
  /** If the member joined in this ring, the first is its arrival. */
  readonly entries: Entry[];
}

/** Whether this tells a member of its own arrival. */
function arrives(member: string, [kind, , joined]: Entry): boolean {
  return kind === "r" || kind === "c" && list(joined).includes(member);
}

function segments({ writer, events }: Journal): Segment[] {
  const all: Segment[] = [];
  let current: Segment | undefined;
  let arrival: Entry[] = []; // comes before the ring that it belongs to
  let arrived = false;
  let earlier = 0; // how many are of earlier connections
  for (const entry of events) {
    if (!arrived && arrives(writer, entry)) {
      arrived = true;
      // It was told of rings while it joined, of which the last is its own.
      if (current) {
        current = { ring: current.ring, nodes: current.nodes, entries: [] };
        all.splice(earlier, all.length - earlier, current);
      }
    }
    const [kind, ring, nodes] = entry;
    if (kind === "g") {
      // Who joins while a ring forms is told of it, and as who joins again.
      if (current?.ring === ring) continue;
      const previous: Segment | undefined = current;
      if (previous) previous.next = ring;
      current = { ring, nodes: list(nodes), previous, entries: arrival };
      all.push(current);
      arrival = [];
    } else if (kind === "d" || kind === "e") {
      current = undefined;
      arrival = [];
      arrived = false;
      earlier = all.length;
    } else if (!current) {
      arrival.push(entry);
    } else {
      current.entries.push(entry);
    }
  }
  return all;
}

/** The nodes that were taken for gone on the way to the next ring. */
function lostNodes({ entries }: Segment): string[] {
  return entries.flatMap((entry) => leavers(entry, ":node-down").map(nodeOf));
}

/** Where a member's arrival is in what another saw, or −1. */
function arrivalOf(member: string, { entries }: Segment): number {
  return entries.findIndex(([kind, , joined]) =>
    kind === "c" && list(joined).includes(member)
  );
}

/** Whether this is what a member saw that joined in this ring. */
function isNewcomer(member: string, { entries: [first] }: Segment): boolean {
  return first !== undefined && arrives(member, first);
}

/** Whether a member has joined in a ring when another one was gone from it. */
function isLateFor(
  [other, theirs]: readonly [string, Segment],
  [member, mine]: readonly [string, Segment],
): boolean {
  if (!isNewcomer(member, mine) || theirs.next) return false;
  const [[, members]] = mine.entries;
  // Who was ended may have been there, and not have written down what came.
  const wasEnded = !theirs.entries.some((entry) =>
    leavers(entry).includes(other)
  );
  return wasEnded || !list(members).includes(other);
}

/** Whether two members in one ring have seen nothing of each other. */
function haveNotMet(
  one: readonly [string, Segment],
  other: readonly [string, Segment],
): boolean {
  const [[writer, mine], [otherWriter, theirs]] = [one, other];
  if (!isLateFor(one, other) && !isLateFor(other, one)) return false;
  if (arrivalOf(otherWriter, mine) >= 0) return false;
  if (arrivalOf(writer, theirs) >= 0) return false;
  const messages = new Set(messagesIn(mine));
  return !messagesIn(theirs).some((message) => messages.has(message));
}

function messagesIn(ring: Segment): string[] {
  return seen(ring, 0).filter((event) => MESSAGE.test(event));
}

/** What was seen in a ring from an entry on, as far as it is the same for all. */
function seen({ entries }: Segment, from: number): string[] {
  return entries.slice(Math.max(from, 0)).map(([kind, ...fields]) =>
    kind === "m" ? `message ${fields.join(" ")}` : `members ${list(fields[0])}`
  );
}

/** A message from whoever, with that number. */
const MESSAGE = /^message (\S+) (\d+)/;

/** Whether a node was in a ring, and has stayed until the next one. */
function hasStayed(node: string, ring: Segment): boolean {
  return ring.nodes.includes(node) && !lostNodes(ring).includes(node);
}

/**
 * Whether a ring can have been between two that nobody was told of, since the
 * next one came too soon: the number of each is 4 above that of those before.
 */
function mayHideAnother(before: Segment, after: Segment): boolean {
  const [earlier, later] = [before, after].map(({ ring }) =>
    Number(ring.split(":")[1])
  );
  return later >= earlier + 8;
}

/** Whether two nodes have come into a ring from the same one. */
function haveComeTogether(
  [node, otherNode]: readonly [string, string],
  ring: Segment,
  [before, otherBefore]: readonly [Segment?, Segment?],
): boolean {
  for (const one of [before, otherBefore]) {
    if (one && mayHideAnother(one, ring)) return false;
  }
  if (before && otherBefore && before.ring !== otherBefore.ring) return false;
  return (!before || hasStayed(otherNode, before)) &&
    (!otherBefore || hasStayed(node, otherBefore));
}

/** The nodes of which a member has seen messages in a ring. */
function heard({ entries }: Segment): string[] {
  return entries.filter(([kind]) => kind === "m")
    .map(([, sender]) => nodeOf(sender));
}

/**
 * Splits what one member saw into what another one saw as well, and what was
 * withheld from that one because its node has just come: corosync cannot put
 * together a message whose first part was sent before, and throws away what
 * follows on it as well, until the sending node has nothing to send for once.
 * That can outlast the ring, but ends with the first message of that node.
 */
function withoutWithheld(
  events: readonly string[],
  others: readonly string[],
  heardByOther: ReadonlySet<string>,
): { shared: string[]; withheld: string[] } {
  const first = new Map<string, number>();
  for (const event of others) {
    const [, sender, number] = MESSAGE.exec(event) ?? [];
    if (sender && !first.has(sender)) first.set(sender, Number(number));
  }
  const isWithheld = (event: string) => {
    const [, sender, number] = MESSAGE.exec(event) ?? [];
    return sender && !heardByOther.has(nodeOf(sender)) &&
      Number(number) < (first.get(sender) ?? Infinity);
  };
  return {
    shared: events.filter((event) => !isWithheld(event)),
    withheld: events.filter(isWithheld),
  };
}

/** What a comparison of two journals has found. */
export interface Comparison {
  /** Where they contradict each other. */
  readonly problems: string[];
  /** Messages that one of them was not given, since its node had just come. */
  readonly withheld: string[];
}

/**
 * Compares two journals. Who is in a ring together sees the same messages, and
 * membership changes at the same places between them; who goes to the next ring
 * together has seen all of that. Who is torn apart still has the same order for
 * what both have seen.
 */
export function compare(one: Journal, other: Journal): Comparison {
  const problems: string[] = [];
  const withheld: string[] = [];
  const others = segments(other);
  // The nodes that each has heard since the two have met, its own among them;
  // undefined if they have always been together, so that nothing is withheld.
  let since: readonly [Set<string>, Set<string>] | undefined;
  for (const mine of segments(one)) {
    const theirs = others.find(({ ring }) => ring === mine.ring);
    if (!theirs) continue;
    const fromMine = arrivalOf(other.writer, mine);
    const fromTheirs = arrivalOf(one.writer, theirs);
    if (haveNotMet([one.writer, mine], [other.writer, theirs])) continue;
    let a = seen(mine, fromMine);
    let b = seen(theirs, fromTheirs);
    const nodes = [nodeOf(one.writer), nodeOf(other.writer)] as const;
    const previous = [mine.previous, theirs.previous] as const;
    if (!haveComeTogether(nodes, mine, previous)) {
      since = [new Set([nodes[0]]), new Set([nodes[1]])];
    }
    if (since) {
      const [here, there] = since;
      const inA = withoutWithheld(a, b, there);
      const inB = withoutWithheld(b, a, here);
      [a, b] = [inA.shared, inB.shared];
      withheld.push(...inA.withheld, ...inB.withheld);
      for (const node of heard(mine)) here.add(node);
      for (const node of heard(theirs)) there.add(node);
    }
    const apart = lostNodes(mine).includes(nodes[1]) ||
      lostNodes(theirs).includes(nodes[0]) ||
      (mine.next !== theirs.next && mine.next && theirs.next);
    if (apart) {
      const [inA, inB] = [new Set(a), new Set(b)];
      a = a.filter((event) => inB.has(event));
      b = b.filter((event) => inA.has(event));
    }
    const together = !apart && mine.next && mine.next === theirs.next;
    const length = together
      ? Math.max(a.length, b.length)
      : Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) {
      if (a[i] === b[i]) continue;
      problems.push(
        `In ring ${mine.ring}, after ${previous[0]?.ring} and ` +
          `${previous[1]?.ring}, event ${i}: ${one.writer} saw ` +
          `${a[i] ?? "nothing"}, ${other.writer} ${b[i] ?? "nothing"}`,
      );
      break;
    }
  }
  return { problems, withheld };
}

/** What journals of one group come to. */
export interface Verdict {
  /** How many messages were delivered, counting each receiver. */
  readonly delivered: number;
  /** How many sends succeeded. */
  readonly sent: number;
  /** How many of these did not come back to their senders. */
  readonly lost: number;
  /** How many messages were withheld from nodes that had just come. */
  readonly withheld: number;
  /** Everything that breaks a promise. */
  readonly problems: string[];
}

/** Judges all journals of one group. */
export function judge(journals: readonly Journal[]): Verdict {
  const problems = journals.flatMap(faults);
  const withheld = new Set<string>();
  for (const [index, one] of journals.entries()) {
    for (const other of journals.slice(index + 1)) {
      const comparison = compare(one, other);
      problems.push(...comparison.problems);
      for (const message of comparison.withheld) withheld.add(message);
    }
  }
  const messages = journals.flatMap(({ events }) =>
    events.filter(([kind]) => kind === "m")
  );
  const delivered = new Set(
    messages.map(([, sender, number]) => `${sender} ${number}`),
  );
  let [sent, missing] = [0, 0];
  for (const journal of journals) {
    sent += journal.sent.length;
    const numbers = lost(journal);
    missing += numbers.length;
    // Who was ended, or whose daemon was, cannot know what became of them.
    const { writer, staying, unsent } = journal;
    const left = journal.events.some((entry) =>
      leavers(entry, ":leave").includes(writer)
    );
    const stayed = (staying || left) &&
      !journal.events.some(([kind]) => kind === "d");
    if (stayed && numbers.length > 0) {
      problems.push(`${writer}: ${numbers.length} never came back`);
    }
    for (const number of unsent) {
      if (delivered.has(`${writer} ${number}`)) {
        problems.push(`${writer}: ${number} came, though it was not sent`);
      }
    }
  }
  return {
    delivered: messages.length,
    sent,
    lost: missing,
    withheld: withheld.size,
    problems,
  };
}
