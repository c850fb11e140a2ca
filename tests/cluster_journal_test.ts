import { assertEquals, assertMatch } from "@std/assert";
import {
  disagreements,
  faults,
  judge,
  lost,
  parse,
} from "./cluster/journal.ts";

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

Deno.test("journals: members that see the same agree", () => {
  assertEquals(judge([first, second, third]), {
    delivered: 12,
    sent: 5,
    lost: 0,
    problems: [],
  });
});

for (
  const [what, from, to, problem] of [
    ["altered", "m 2:20 0 60", "x 2:20 0 60", /2:20 .* altered/],
    ["missing", "m 2:20 1 80\n", "", /2:20 said 2, not 1/],
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
    assertEquals(disagreements(first, second), []);
    assertEquals(disagreements(second, first), []);
    const changed = SECOND.replace(from, to);
    assertEquals(changed === SECOND, false);
    const wrong = parse("2:20", changed);
    assertEquals(disagreements(first, wrong).length, 1, what);
    assertEquals(disagreements(wrong, first).length, 1, what);
  });
}

Deno.test("journals: who is torn apart has at least the same order", () => {
  assertEquals(disagreements(first, third), []);
  const swapped = THIRD.replace(
    "m 2:20 0 60\nm 1:10 1 70",
    "m 1:10 1 70\nm 2:20 0 60",
  );
  assertEquals(disagreements(first, parse("3:30", swapped)).length, 1);
});

Deno.test("journals: who has not met cannot disagree", () => {
  const [early, late] = [["1:10", "0"], ["1:11", "7"]].map(([writer, number]) =>
    parse(writer, `c ${writer} ${writer} \ng 1:4 1\nm ${writer} ${number} 5\n`)
  );
  assertEquals(disagreements(early, late), []);
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

Deno.test("journals: a line that was cut off is not read", () => {
  assertEquals(parse("1:10", "m 1:10 0 5\nm 1:10 1").events.length, 1);
});
