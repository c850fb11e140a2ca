/** What becomes of a reader between two sessions. */
import { stub } from "@std/testing/mock";
import { Ending } from "../abortable.ts";
import type { Connection } from "../connection.ts";
import { CpgError } from "../errors.ts";
import type { GroupEvent } from "../events.ts";
import { openGroup } from "../group.ts";
import { openLibcpg } from "../libcpg.ts";
import { Outbox } from "../outbox.ts";
import type { Sink } from "../receiver.ts";
import { Session } from "../session.ts";
import { within } from "./support.ts";

Deno.test("who asks for more while a session comes back is heard", async () => {
  const self = { nodeId: 1, pid: 1 };
  const event: GroupEvent = {
    type: "membership",
    members: [self],
    joined: [],
    left: [],
  };
  const losses: ((error: CpgError) => void)[] = [];
  const open = async (
    _options: unknown,
    sink: Sink,
    lost: (error: CpgError) => void,
  ) => {
    // One event comes before there is a session, and one when it is asked for.
    if (losses.push(lost) > 1) sink.push(event);
    for (let i = 0; i < 100; i++) await undefined;
    const ending = new Ending();
    const connection = { ending } as Connection;
    const resume = () => losses.length > 1 && sink.push(event);
    return {
      self,
      connection,
      outbox: new Outbox(connection),
      receiver: { resume, pull: resume },
      close: () => Promise.resolve(ending.end("closed")),
    };
  };
  using _ = stub(Session, "open", open as unknown as typeof Session.open);
  const group = await openGroup({
    name: "group",
    groupName: new Uint8Array(1),
    libcpg: openLibcpg(),
    receiving: undefined,
    highWaterMark: 2 ** 20,
    lend: false,
    reconnect: true,
  });
  const reader = group[Symbol.asyncIterator]();
  const disconnected = reader.next();
  losses[0](new CpgError("Lost", "cpg_dispatch", "CS_ERR_LIBRARY"));
  await within("the loss", disconnected);
  await within("the return", reader.next());
  await within("more", reader.next());
  await group.close();
});
