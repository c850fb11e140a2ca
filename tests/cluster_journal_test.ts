import { assertEquals, assertMatch } from "@std/assert";
import { changes, type Entry, faults, lost, parse } from "./cluster/journal.ts";
import { compare, judge } from "./cluster/judge.ts";

/** Three members join, two of them send, and a new ring forms. */
const FIRST = `c 1:10 1:10\x20
g 1:4 1,2,3
c 1:10,2:20 2:20\x20
m 1:10 0 50
s 0
c 1:10,2:20,3:30 3:30\x20
m 2:20 0 60
m 1:10 1 70
s 1
m 2:20 1 80
c 1:10,2:20  3:30:node-down
g 1:8 1,2
m 2:20 2 90
`;
const SECOND = `c 2:20,1:10 2:20\x20
g 1:4 1,2,3
m 1:10 0 50
c 2:20,1:10,3:30 3:30\x20
m 2:20 0 60
s 0
m 1:10 1 70
m 2:20 1 80
s 1
c 2:20,1:10  3:30:node-down
g 1:8 1,2
m 2:20 2 90
s 2
`;
/** The third is taken for gone, and sees it the other way round. */
const THIRD = `c 3:30,2:20,1:10 3:30\x20
g 1:4 1,2,3
m 2:20 0 60
m 1:10 1 70
c 3:30  1:10:node-down,2:20:node-down
g 3:8 3
`;

const [first, second, third] = [
  parse("1:10", FIRST),
  parse("2:20", SECOND),
  parse("3:30", THIRD),
];

Deno.test("journals: what changed stands between the last of each sender", () => {
  assertEquals(
    changes(first),
    `1:10:
  c 1:10 1:10\x20
  g 1:4 1,2,3
  c 1:10,2:20 2:20\x20
  m 1:10 0
  c 1:10,2:20,3:30 3:30\x20
  m 2:20 1 1:10 1
  c 1:10,2:20  3:30:node-down
  g 1:8 1,2
  m 2:20 2`,
  );
});

Deno.test("journals: members that see the same agree", () => {
  assertEquals(judge([first, second, third]), {
    delivered: 12,
    sent: 5,
    lost: 0,
    withheld: 0,
    problems: [],
  });
});

for (
  const [what, from, to, problem] of [
    ["altered", "m 2:20 0 60", "x 2:20 0 60", /2:20 .* altered/],
    ["missing", "m 2:20 1 80\n", "m 2:20 2 80\n", /2:20 said 2, not 1/],
    ["twice", "m 1:10 1 70\n", "m 1:10 1 70\nm 1:10 1 70\n", /said 1, not 2/],
    ["too early", "m 1:10 1 70\n", "m 1:10 3 70\nm 1:10 1 70\n", /said 3, not/],
  ] as const
) {
  Deno.test(`journals: a message that is ${what} is noticed`, () => {
    assertEquals(faults(first), []);
    assertMatch(
      faults(parse("1:10", FIRST.replace(from, to))).join(),
      problem,
    );
  });
}

for (
  const [what, from, to] of [
    [
      "the order of messages",
      "m 2:20 0 60\ns 0\nm 1:10 1 70",
      "m 1:10 1 70\nm 2:20 0 60",
    ],
    ["the size of a message", "m 1:10 1 70", "m 1:10 1 71"],
    ["a message", "m 1:10 1 70\n", ""],
    [
      "the place of a membership change",
      "c 2:20,1:10,3:30 3:30 \nm 2:20 0 60",
      "m 2:20 0 60\nc 2:20,1:10,3:30 3:30 ",
    ],
    [
      "who is a member",
      "c 2:20,1:10  3:30:node-down",
      "c 2:20,1:10,3:31 3:31 ",
    ],
    ["the last message before a ring", "m 2:20 1 80\n", ""],
  ] as const
) {
  Deno.test(`journals: a disagreement about ${what} is noticed`, () => {
    assertEquals(compare(first, second).problems, []);
    assertEquals(compare(second, first).problems, []);
    const changed = SECOND.replace(from, to);
    assertEquals(changed === SECOND, false);
    const wrong = parse("2:20", changed);
    assertEquals(compare(first, wrong).problems.length, 1, what);
    assertEquals(compare(wrong, first).problems.length, 1, what);
  });
}

Deno.test("journals: who is torn apart has at least the same order", () => {
  assertEquals(compare(first, third).problems, []);
  const swapped = THIRD.replace(
    "m 2:20 0 60\nm 1:10 1 70",
    "m 1:10 1 70\nm 2:20 0 60",
  );
  assertEquals(compare(first, parse("3:30", swapped)).problems.length, 1);
});

/** The third comes back. */
const MERGED = "c 1:10,2:20,3:30 3:30 \ng 1:12 1,2,3\n";
const RETURN = `c 1:10,2:20,3:30 1:10,2:20 \ng 1:12 1,2,3\n`;
const REST = "m 3:30 7 50\nm 1:10 2 50\nm 3:30 8 50\n";

Deno.test("journals: what was sent before a merge may be withheld", () => {
  const here = parse("1:10", FIRST + MERGED + REST);
  assertEquals(compare(here, parse("3:30", THIRD + RETURN + REST)), {
    problems: [],
    withheld: [],
  });
  const more = parse("3:30", THIRD + RETURN + "m 3:30 6 50\n" + REST);
  assertEquals(compare(here, more), {
    problems: [],
    withheld: ["message 3:30 6 50"],
  });
  const newcomer = parse(
    "3:31",
    `c 1:10,2:20,3:31 3:31 \ng 1:12 1,2,3\n${
      REST.replace(/^.*1:10.*\n/m, "")
    }m 1:10 3 50\n`,
  );
  const host = FIRST + "g 1:12 1,2,3\nc 1:10,2:20,3:31 3:31 \n" + REST +
    "m 1:10 3 50\n";
  assertEquals(compare(parse("1:10", host), newcomer), {
    problems: [],
    withheld: ["message 1:10 2 50"],
  });
  // Nothing is, once something has come.
  const after = (journal: string) => `${journal}m 1:10 3 50\n`;
  const hole = FIRST + MERGED + REST.replace("m 3:30 8 50\n", "");
  assertEquals(
    compare(
      parse("1:10", after(hole)),
      parse("3:30", after(THIRD + RETURN + REST)),
    ).problems.length,
    1,
  );
  // Nor from those who have been on the same side.
  const same = parse("2:20", SECOND + MERGED + "m 1:10 1 50\n" + REST);
  assertEquals(compare(here, same).problems.length, 1);
});

Deno.test("journals: what is withheld after a merge may be so in the next ring", () => {
  // The third is deaf to the first still when the second one is lost.
  const next = (messages: string) =>
    `c 1:10,3:30  2:20:node-down\ng 1:16 1,3\n${messages}`;
  const rest = "m 3:30 8 50\nm 1:10 4 50\n";
  const here = parse(
    "1:10",
    `${FIRST}${MERGED}m 1:10 2 50\n${next(`m 1:10 3 50\n${rest}`)}`,
  );
  const there = (first: string) =>
    parse("3:30", `${THIRD}${RETURN}${first}${next(rest)}`);
  assertEquals(compare(here, there("")), {
    problems: [],
    withheld: ["message 1:10 2 50", "message 1:10 3 50"],
  });
  assertEquals(compare(there(""), here).problems, []);
  // What one's own node sends never is.
  const without = FIRST + MERGED + next(rest);
  const more = there("m 1:10 2 50\n");
  assertEquals(compare(parse("1:10", without), more).problems.length, 1);
  assertEquals(compare(more, parse("1:10", without)).problems.length, 1);
  // Nor is anything once it has heard the first.
  assertEquals(compare(here, more).problems.length, 1);
  assertEquals(compare(more, here).problems.length, 1);
});

Deno.test("journals: a node that is gone only between two rings has just come", () => {
  // Joining while the ring forms, it is told of it before and after.
  const back = parse(
    "3:30",
    "m 3:30 1 5\nd CS_ERR_LIBRARY\ng 1:8 1,2,3\nr 1:10,3:30\ng 1:8 1,2,3\nm 1:10 9 50\n",
  );
  const there = (loss: string) =>
    parse(
      "1:10",
      `g 1:4 1,2,3\n${loss}g 1:8 1,2,3\nc 1:10,3:30 3:30 \nm 1:10 8 50\nm 1:10 9 50\n`,
    );
  assertEquals(compare(back, there("c 1:10  3:30:node-down\n")), {
    problems: [],
    withheld: ["message 1:10 8 50"],
  });
  assertEquals(compare(back, there("")).problems.length, 1);
});

Deno.test("journals: rings come and go while someone joins", () => {
  const back = parse(
    "3:30",
    "g 1:4 1,2,3\nd CS_ERR_LIBRARY\ng 1:8 1,2,3\ng 1:12 1,2,3\nr 1:10,3:30\ng 1:12 1,2,3\nm 1:10 9 50\n",
  );
  const there = parse(
    "1:10",
    "g 1:4 1,2,3\ng 1:8 1,2,3\nm 1:10 7 50\ng 1:12 1,2,3\nm 1:10 8 50\nc 1:10,3:30 3:30 \nm 1:10 9 50\n",
  );
  assertEquals(compare(there, back), { problems: [], withheld: [] });
  // Another is told of the last one before it joins only.
  const soon = parse(
    "3:31",
    "g 1:8 1,2,3\ng 1:12 1,2,3\nc 1:10,3:30,3:31 3:31 \nm 1:10 9 50\n",
  );
  assertEquals(compare(there, soon).problems.length, 1);
  const joined = {
    ...there,
    events: there.events.toSpliced(-1, 0, ["c", "1:10,3:30,3:31", "3:31", ""]),
  };
  assertEquals(compare(joined, soon), { problems: [], withheld: [] });
});

Deno.test("journals: who was away may not be told, but for its rings", () => {
  const back = (ring: string) =>
    parse("3:30", `g 1:4 1,3\nm 1:10 1 5\ng ${ring} 1,3\nm 1:10 5 5\n`);
  const here = (ring: string, between = "") =>
    parse(
      "1:10",
      `g 1:4 1,3\nm 1:10 1 5\n${between}m 1:10 2 5\ng ${ring} 1,3\nm 1:10 5 5\n`,
    );
  const away = back("1:9");
  assertEquals(faults(away), []);
  assertEquals(compare(away, here("1:9", "g 1:5 1\n")).problems, []);
  assertEquals(compare(away, here("1:9")).problems.length, 1);
  // Here it has seen the message in the ring that both have come into.
  const late = (ring: string) =>
    parse(
      "1:10",
      `g 1:4 1,3\nm 1:10 1 5\ng ${ring} 1,3\nm 1:10 2 5\nm 1:10 5 5\n`,
    );
  assertEquals(compare(back("1:9"), late("1:9")).problems.length, 1);
  // By its number, there was one more that neither was told of.
  assertEquals(compare(back("1:12"), late("1:12")), {
    problems: [],
    withheld: ["message 1:10 2 5"],
  });
  // What one's own node sends is never missing.
  assertEquals(faults({ ...away, writer: "1:11" }), [
    "1:11: 1:10 said 5, not 2",
  ]);
});

Deno.test("journals: who has not met cannot disagree", () => {
  const [early, late] = [["1:10", "0"], ["1:11", "7"]].map(([writer, number]) =>
    parse(writer, `c ${writer} ${writer} \ng 1:4 1\nm ${writer} ${number} 5\n`)
  );
  assertEquals(compare(early, late).problems, []);
});

Deno.test("journals: who has left in a ring has not met who joins in it later", () => {
  const left = parse(
    "2:20",
    "c 1:10,2:20 2:20 \ng 1:4 1,2,3\nm 1:10 0 5\ng 1:8 1,2,3\nm 1:10 1 5\nc 1:10  2:20:leave\n",
  );
  const late = (rest: string) =>
    parse("3:30", `c 1:10,3:30 3:30 \ng 1:8 1,2,3\n${rest}`);
  const newcomer = late("m 1:10 2 5\n");
  assertEquals(compare(left, newcomer).problems, []);
  assertEquals(compare(newcomer, left).problems, []);
  // A message that both saw says that the arrival was withheld from one.
  const early = late("m 1:10 1 5\n");
  assertEquals(compare(left, early).problems.length, 1);
  assertEquals(compare(early, left).problems.length, 1);
  // So does the next ring, if whoever was there has come into it.
  const next: Entry = ["g", "1:12", "1,2,3"];
  const stayed = { ...left, events: [...left.events.slice(0, -1), next] };
  const along = { ...newcomer, events: [...newcomer.events, next] };
  for (const other of [newcomer, along]) {
    assertEquals(compare(stayed, other).problems.length, 1);
    assertEquals(compare(other, stayed).problems.length, 1);
  }
  // And the newcomer's list, but for who was ended before he could write.
  const listed = parse("3:30", "c 1:10,2:20,3:30 3:30 \ng 1:8 1,2,3\n");
  const ended = { ...left, events: left.events.slice(0, -1) };
  assertEquals(compare(left, listed).problems.length, 1);
  assertEquals(compare(listed, left).problems.length, 1);
  assertEquals(compare(ended, listed).problems, []);
  assertEquals(compare(listed, ended).problems, []);
  // Who is told of the other has met him.
  const host = late("c 1:10,2:21,3:30 2:21 \nm 1:10 3 5\n");
  const guest = parse(
    "2:21",
    "c 1:10,2:21,3:30 2:21 \ng 1:8 1,2,3\nm 1:10 4 5\n",
  );
  assertEquals(compare(host, guest).problems.length, 1);
  assertEquals(compare(guest, host).problems.length, 1);
});

Deno.test("journals: whoever was away may go on with any later number", () => {
  const more = "c 1:10,2:20,3:30 3:30 \nm 3:30 7 50\n";
  const again = `${more}c 1:10,2:20  3:30:leave\n${more.replace("7", "9")}`;
  assertEquals(faults(parse("1:10", FIRST + again)), []);
  const back = `${more}c 1:10,2:20  3:30:leave\n${more}`;
  assertEquals(faults(parse("1:10", FIRST + back)), [
    "1:10: 3:30 said 7, not 8",
  ]);
});

Deno.test("journals: what never came back is counted, and who is to blame", () => {
  const leaving = "c 2:20  1:10:leave\n";
  const unanswered = parse("1:10", `${FIRST}s 2\n${leaving}`);
  assertEquals(lost(unanswered), [2]);
  assertEquals(judge([unanswered]).problems, ["1:10: 1 never came back"]);
  for (
    const end of ["", "d CS_ERR_LIBRARY\n", `d CS_ERR_LIBRARY\n${leaving}`]
  ) {
    const ended = parse("1:10", `${FIRST}s 2\n${end}`);
    assertEquals(judge([ended]).lost, 1);
    assertEquals(judge([ended]).problems, []);
  }
});

Deno.test("journals: what a member that stays has sent comes back", () => {
  const journal = parse("1:10", `${FIRST}s 2\n`, true);
  assertEquals(judge([journal]).problems, ["1:10: 1 never came back"]);
});

Deno.test("journals: what was said not to be sent does not come", () => {
  const sender = parse("2:20", `${SECOND}f 3 CS_ERR_LIBRARY none\n`);
  assertEquals(judge([first, sender]).problems, []);
  const receiver = parse("1:10", `${FIRST}m 2:20 3 5\n`);
  assertEquals(judge([receiver, sender]).problems, [
    "2:20: 3 came, though it was not sent",
  ]);
  const unknown = parse("2:20", `${SECOND}f 3 CS_ERR_LIBRARY unknown\n`);
  assertEquals(judge([receiver, unknown]).problems, []);
});

Deno.test("journals: the end of a stream is no event", () => {
  const ended = parse("2:20", `${SECOND}e CS_ERR_LIBRARY\n`);
  const longer = parse("1:10", `${FIRST}m 2:20 3 5\n`);
  assertEquals(compare(ended, longer).problems, []);
});

Deno.test("journals: a line that was cut off is not read", () => {
  assertEquals(parse("1:10", "m 1:10 0 5\nm 1:10 1").events.length, 1);
});
