/**
 * Passes Ethernet frames on between the interfaces of a network namespace, as a
 * bridge does, but loses some and delays all: what tc-netem(8) does for a
 * kernel that has it.
 *
 * @module
 */

import { type Libc, succeed } from "./libc.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const MSG_DONTWAIT = 0x40;
const POLLIN = 0x1;

/** What a frame has before it here: struct virtio_net_hdr. */
const HEADER = 10;
/** The largest frame: TCP leaves it to the interface to make packets of it. */
const FRAME = 14 + 65_535;
/** Room for what arrives while we are busy, in bytes. */
const BACKLOG = 4 << 20;
/** How long a wait lasts at most, in milliseconds: then the end is noticed. */
const WAIT_MS = 20;

/** What happens to the frames. */
export interface Impairment {
  /** The share of frames that get lost, from 0 to 1. */
  readonly loss: number;
  /** How long a frame takes, in milliseconds. */
  readonly delay: number;
}

/** An interface whose frames are passed on. */
export interface RelayPort {
  /** The index of the interface. */
  readonly index: number;
  /** The Ethernet address at its other end. */
  readonly address: Uint8Array;
}

/** A frame on its way. */
interface Flight {
  frame: Uint8Array<ArrayBuffer>;
  from: number;
  due: number;
}

/** Passes frames on from its start to its stop. */
export class Relay {
  #libc: Libc;
  #ports: readonly RelayPort[];
  #passes: (from: number, to: number) => boolean;
  #impairment: Impairment;
  #received = new Uint8Array(HEADER + FRAME);
  #running = true;
  #ended: Promise<void>;

  /** Starts. `passes` says between which ports, by their place in the list. */
  constructor(
    libc: Libc,
    ports: readonly RelayPort[],
    passes: (from: number, to: number) => boolean,
    impairment: Impairment,
  ) {
    this.#libc = libc;
    this.#ports = ports;
    this.#passes = passes;
    this.#impairment = impairment;
    this.#ended = this.#run(ports.map(({ index }) => this.#open(index)));
  }

  /** Stops; what is on its way is lost. */
  stop(): Promise<void> {
    this.#running = false;
    return this.#ended;
  }

  #open(index: number): number {
    const libc = this.#libc;
    // The protocol is in network byte order.
    const protocol = ETH_P_ALL << 8;
    const socket = succeed(
      "socket()",
      libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, protocol),
    );
    const set = (level: number, name: number, value: number) =>
      libc.setsockopt(socket, level, name, int32(value));
    // Checksums that the sender has left to its interface stay so.
    succeed("PACKET_VNET_HDR", set(SOL_PACKET, PACKET_VNET_HDR, 1));
    succeed(
      "PACKET_IGNORE_OUTGOING",
      set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1),
    );
    // As much as anyone may have, and all of it where that is allowed: daemons
    // send bursts, and what finds no room is lost.
    set(SOL_SOCKET, SO_RCVBUF, BACKLOG);
    set(SOL_SOCKET, SO_RCVBUFFORCE, BACKLOG);
    const address = new Uint8Array(20); // struct sockaddr_ll
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, protocol, true);
    view.setInt32(4, index, true);
    succeed("bind()", libc.bind(socket, address));
    return socket;
  }

  async #run(sockets: number[]): Promise<void> {
    const waiting = new Uint8Array(8 * sockets.length); // struct pollfd
    const view = new DataView(waiting.buffer);
    for (const [port, socket] of sockets.entries()) {
      view.setInt32(8 * port, socket, true);
      view.setInt16(8 * port + 4, POLLIN, true);
    }
    const flights: Flight[] = [];
    try {
      while (this.#running) {
        const wait = flights.length > 0
          ? Math.ceil(flights[0].due - performance.now())
          : WAIT_MS;
        const timeout = Math.min(Math.max(wait, 0), WAIT_MS);
        await this.#libc.poll(waiting, sockets.length, timeout);
        for (const [port, socket] of sockets.entries()) {
          if (view.getInt16(8 * port + 6, true) !== 0) {
            this.#receive(socket, port, flights);
          }
        }
        const now = performance.now();
        const due = flights.findIndex((flight) => flight.due > now);
        for (
          const flight of flights.splice(0, due < 0 ? flights.length : due)
        ) {
          this.#deliver(flight, sockets);
        }
      }
    } finally {
      for (const socket of sockets) this.#libc.close(socket);
    }
  }

  #receive(socket: number, from: number, flights: Flight[]): void {
    const { loss, delay } = this.#impairment;
    const due = performance.now() + delay;
    for (;;) {
      const size = this.#libc.recv(socket, this.#received, MSG_DONTWAIT);
      if (size < 0) return; // there is nothing more
      if (Math.random() >= loss) {
        flights.push({ frame: this.#received.slice(0, size), from, due });
      }
    }
  }

  #deliver({ frame, from }: Flight, sockets: number[]): void {
    const target = frame.subarray(HEADER, HEADER + 6);
    const toAll = (target[0] & 1) === 1;
    for (const [to, socket] of sockets.entries()) {
      if (to === from || !this.#passes(from, to)) continue;
      const { address } = this.#ports[to];
      if (!toAll && address.some((byte, i) => byte !== target[i])) continue;
      // An interface whose queue is full loses it, as interfaces do.
      this.#libc.send(socket, frame, MSG_DONTWAIT);
    }
  }
}

function int32(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Int32Array.of(value).buffer);
}
