/**
 * The network interfaces of a network namespace, by rtnetlink(7).
 *
 * @module
 */

import { type Libc, succeed } from "./libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const NETLINK_ROUTE = 0;

const NLMSG_ERROR = 2;
const RTM_NEWLINK = 16;
const RTM_SETLINK = 19;
const RTM_NEWADDR = 20;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CREATE_EXCL = 0x600;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_PID = 19;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFA_LOCAL = 2;

const IFF_UP = 0x1;
const AF_INET = 2;

const O_RDONLY = 0;
const O_CLOEXEC = 0x80000;
const CLONE_NEWNET = 0x40000000;

/** The index that every loopback interface has. */
export const LOOPBACK = 1;

/** A pair of virtual Ethernet interfaces, and where its ends are. */
export interface Cable {
  /** The index of the end in this namespace. */
  readonly index: number;
  /** Its name. */
  readonly name: string;
  /** A process in the namespace of the other end. */
  readonly peer: number;
  /** The index of the other end. */
  readonly peerIndex: number;
  /** The name of the other end. */
  readonly peerName: string;
  /** The other end's Ethernet address. */
  readonly peerAddress: Uint8Array;
}

/** The network of one namespace, for whom the kernel lets administer it. */
export class Network implements Disposable {
  #libc: Libc;
  #socket: number;

  /** The network of the namespace in that file, or of this process. */
  constructor(libc: Libc, file?: string) {
    this.#libc = libc;
    const open = () =>
      libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    const socket = file === undefined ? open() : inNetwork(libc, file, open);
    this.#socket = succeed("socket()", socket);
  }

  /** Brings an interface up. */
  raise(index: number): void {
    this.#request(`raise interface ${index}`, RTM_SETLINK, link(index, IFF_UP));
  }

  /** Makes a bridge, which passes on what comes from one of its ports. */
  addBridge(index: number, name: string): void {
    this.#request(
      `make bridge ${name}`,
      RTM_NEWLINK,
      link(index, IFF_UP),
      attribute(IFLA_IFNAME, text(name)),
      attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, text("bridge"))),
    );
  }

  /** Makes a pair of interfaces, one of them in another namespace. */
  addCable(cable: Cable): void {
    const peer = [
      link(cable.peerIndex),
      attribute(IFLA_IFNAME, text(cable.peerName)),
      attribute(IFLA_ADDRESS, cable.peerAddress),
      attribute(IFLA_NET_NS_PID, int32(cable.peer)),
    ];
    this.#request(
      `make interface ${cable.name}`,
      RTM_NEWLINK,
      link(cable.index, IFF_UP),
      attribute(IFLA_IFNAME, text(cable.name)),
      attribute(
        IFLA_LINKINFO,
        attribute(IFLA_INFO_KIND, text("veth")),
        attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, ...peer)),
      ),
    );
  }

  /** Makes an interface a port of a bridge, or of none. */
  attach(index: number, bridge: number | undefined): void {
    this.#request(
      `attach interface ${index}`,
      RTM_SETLINK,
      link(index),
      attribute(IFLA_MASTER, int32(bridge ?? 0)),
    );
  }

  /** Gives an interface an IPv4 address in a network of 256. */
  setAddress(index: number, address: string): void {
    const header = new Uint8Array(8); // struct ifaddrmsg
    header.set([AF_INET, 24]);
    new DataView(header.buffer).setUint32(4, index, true);
    const bytes = Uint8Array.from(address.split("."), Number);
    this.#request(
      `set address ${address}`,
      RTM_NEWADDR,
      header,
      attribute(IFA_LOCAL, bytes),
    );
  }

  /** Ends the conversation with the kernel. */
  [Symbol.dispose](): void {
    this.#libc.close(this.#socket);
  }

  #request(what: string, type: number, ...parts: Uint8Array[]): void {
    const create = type === RTM_SETLINK ? 0 : NLM_F_CREATE_EXCL;
    const body = concat(parts);
    const message = new Uint8Array(16 + body.length); // struct nlmsghdr
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | create, true);
    message.set(body, 16);
    succeed("send()", this.#libc.send(this.#socket, message, 0));

    const reply = new Uint8Array(4096);
    const answer = new DataView(reply.buffer);
    succeed("recv()", this.#libc.recv(this.#socket, reply, 0));
    const code = answer.getInt32(16, true); // 0, or a negative errno
    if (answer.getUint16(4, true) !== NLMSG_ERROR || code !== 0) {
      throw new Error(`The private network cannot ${what}: error ${-code}`);
    }
  }
}

/**
 * Calls a function in a network namespace, given as a file. Only this thread
 * goes there, and is back when the function returns; a socket made there stays
 * there.
 */
function inNetwork<T>(libc: Libc, file: string, action: () => T): T {
  const open = (path: string) =>
    succeed(
      `open(${path})`,
      libc.open(text(path), O_RDONLY | O_CLOEXEC),
    );
  const here = open("/proc/thread-self/ns/net");
  const there = open(file);
  try {
    succeed(`setns(${file})`, libc.setns(there, CLONE_NEWNET));
    return action();
  } finally {
    succeed("setns()", libc.setns(here, CLONE_NEWNET));
    libc.close(here);
    libc.close(there);
  }
}

/** struct ifinfomsg, with the flags to set. */
function link(index: number, flags = 0): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, flags, true);
  return header;
}

/** struct rtattr and what follows it, padded to a multiple of four bytes. */
function attribute(type: number, ...content: Uint8Array[]): Uint8Array {
  const body = concat(content);
  const bytes = new Uint8Array((4 + body.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + body.length, true);
  view.setUint16(2, type, true);
  bytes.set(body, 4);
  return bytes;
}

function concat(parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(
    parts.reduce((length, part) => length + part.length, 0),
  );
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
