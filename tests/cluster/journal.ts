/**
 * What members have written down, and what is wrong with it by itself.
 *
 * A journal has a line for each event of the stream, in its order:
 *
 *   m NODE:PID NUMBER SIZE          a message
 *   x NODE:PID NUMBER SIZE          a message that is not as it was sent
 *   c MEMBERS JOINED LEFT           a membership change; who left, with why
 *   g NODE:SEQ NODES                a ring change
 *   d CODE                          the daemon is lost
 *   r MEMBERS                       it is back
 *   e ERROR                         the end of the stream, if it is an error
 *
 * and between them, where they are as it happens:
 *
 *   s NUMBER                        a send is done
 *   f NUMBER CODE DELIVERY          a send has failed
 */

/** A line of a journal, split at its spaces. */
export type Entry = readonly string[];

/** What a member has written down. */
export interface Journal {
  /** Who wrote it, as `NODE:PID`. */
  readonly writer: string;
  /** The events of its stream. */
  readonly events: readonly Entry[];
  /** The numbers of the messages that it was told were sent. */
  readonly sent: readonly number[];
  /** The numbers of the messages that it was told were not, and never will be. */
  readonly unsent: readonly number[];
  /** Whether it was still a member when this was read. */
  readonly staying: boolean;
}

/** Reads a journal; its last line may be cut off. */
export function parse(
  writer: string,
  text: string,
  staying = false,
): Journal {
  const lines = text.split("\n").slice(0, -1).map((line) => line.split(" "));
  const numbers = (wanted: string, outcome?: string) =>
    lines.filter(([kind, , , delivery]) =>
      kind === wanted && delivery === outcome
    ).map(([, number]) => Number(number));
  return {
    writer,
    events: lines.filter(([kind]) => kind !== "s" && kind !== "f"),
    sent: numbers("s"),
    unsent: numbers("f", "none"),
    staying,
  };
}

/** What changed in a journal, and the last number of each sender before it. */
export function changes({ writer, events }: Journal): string {
  const lines = [`${writer}:`];
  const last = new Map<string, string>();
  for (const [kind, ...rest] of [...events, []]) {
    if (kind === "m") {
      last.set(rest[0], rest[1]);
      continue;
    }
    if (last.size > 0) lines.push(`  m ${[...last].flat().join(" ")}`);
    last.clear();
    if (kind) lines.push(`  ${[kind, ...rest].join(" ")}`);
  }
  return lines.join("\n");
}

/** What is in a field of a line, which is separated by commas. */
export function list(field: string | undefined): string[] {
  return field ? field.split(",").toSorted() : [];
}

/** The node that a member is on. */
export function nodeOf(member: string): string {
  return member.split(":")[0];
}

/** Who has left in a membership change, for that reason or for any. */
export function leavers([kind, , , left]: Entry, reason = ""): string[] {
  return kind !== "c" ? [] : list(left).filter((one) => one.endsWith(reason))
    .map((one) => one.split(":").slice(0, 2).join(":"));
}

/**
 * What is wrong with a journal by itself: something altered, twice, in the
 * wrong order, or missing without a change that would explain it. That can be a
 * ring change alone: where rings follow on each other too fast, corosync does
 * not tell who was away meanwhile. Whether anyone was, `compare` sees from
 * the others' rings.
 */
export function faults({ writer, events }: Journal): string[] {
  const found: string[] = [];
  const senders = new Map<string, { next: number; away: boolean }>();
  let ring = "";
  for (const entry of events) {
    const [kind, first, second] = entry;
    if (kind === "x") {
      found.push(`${writer}: ${first} said something that came altered`);
    } else if (kind === "m") {
      const number = Number(second);
      const { next, away } = senders.get(first) ?? { next: 0, away: true };
      if (away ? number < next : number !== next) {
        found.push(`${writer}: ${first} said ${number}, not ${next}`);
      }
      senders.set(first, { next: number + 1, away: false });
    } else if (kind === "g") {
      if (first === ring) continue;
      ring = first;
      for (const [sender, known] of senders) {
        known.away ||= nodeOf(sender) !== nodeOf(writer);
      }
    } else if (kind === "c" || kind === "d") {
      // Whoever is away may say what is not heard here.
      const there = kind === "c" ? list(first) : [];
      const left = leavers(entry);
      for (const [sender, known] of senders) {
        known.away ||= left.includes(sender) || !there.includes(sender);
      }
    }
  }
  return found;
}

/** The numbers of the messages that were sent and did not come back. */
export function lost({ writer, events, sent }: Journal): number[] {
  const back = new Set(
    events.filter(([kind, sender]) => kind === "m" && sender === writer)
      .map(([, , number]) => Number(number)),
  );
  return sent.filter((number) => !back.has(number));
}
