/** The web's `Worker`, as far as the tests use it, on Node's. */
import { Worker } from "node:worker_threads";
import { compile } from "./compile.ts";

/** Gives a Worker's program what it has on the web. */
const PRELUDE = `
  import { parentPort, workerData } from "node:worker_threads";
  globalThis.self = globalThis;
  globalThis.name = workerData;
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  globalThis.onmessage = undefined;
  parentPort.on("message", (data) => globalThis.onmessage({ data }));
`;

export class TestWorker {
  readonly #worker: Worker;

  /** @param url A `data:` URL with a program in TypeScript. */
  constructor(url: string, { name }: { name?: string }) {
    const source = decodeURIComponent(url.slice(url.indexOf(",") + 1));
    const program = compile(PRELUDE + source);
    this.#worker = new Worker(
      new URL(`data:text/javascript,${encodeURIComponent(program)}`),
      { workerData: name },
    );
  }

  postMessage(message: unknown): void {
    this.#worker.postMessage(message);
  }

  set onmessage(listener: (event: { data: unknown }) => void) {
    this.#worker.on("message", (data) => listener({ data }));
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
