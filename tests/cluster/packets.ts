/**
 * Measures the network: with an address, sends packets there and prints as
 * JSON how many came back and the median of their times; without one, echoes.
 *
 *   packets.ts COUNT INTERVAL_MS ADDRESS
 */
import { createSocket } from "node:dgram";

const PORT = 7_000;
const [count, interval, address] = Deno.args;

const socket = createSocket("udp4");
if (address === undefined) {
  socket.on("message", (data, { port, address }) => {
    socket.send(data, port, address);
  });
  socket.bind(PORT, () => console.log("echoing"));
} else {
  const times: number[] = [];
  socket.on("message", (data) => {
    times.push(performance.now() - Number(new TextDecoder().decode(data)));
  });
  for (let sent = 0; sent < Number(count); sent++) {
    socket.send(`${performance.now()}`, PORT, address);
    await new Promise((resolve) => setTimeout(resolve, Number(interval)));
  }
  // What is still on its way; some of it may be lost.
  for (let i = 0; i < 150 && times.length < Number(count); i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  socket.close();
  const median = times.sort((a, b) => a - b)[times.length >> 1];
  console.log(JSON.stringify({ answered: times.length, median }));
}
