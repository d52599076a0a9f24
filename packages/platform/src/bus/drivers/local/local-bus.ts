import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Bus, BusListener, BusPacket, PeerId, Receipt } from '../../bus.ts';
import type { Slot } from '../../slot.ts';
import { NoteKind } from './packet-batch.ts';
import { PeerLink, type PeerListener, UNSPECIFIED_ERROR } from './peer-link.ts';

/** What one gateway thread is given to open its end of the bus. Goes through `workerData`, with `ports` in the transfer list. */
export interface LocalBusSeat {
  readonly self: number;
  readonly ports: readonly { readonly peer: number; readonly port: MessagePort }[];
  /** The end that main holds: it only ever tells. */
  readonly control: MessagePort;
  /** One Int64 that all threads count session stamps with. */
  readonly stamps: SharedArrayBuffer;
}

export function portsOf(seat: LocalBusSeat): MessagePort[] {
  return [...seat.ports.map(({ port }) => port), seat.control];
}

/** Joins the gateway threads of one process: a port between each two, and one from main to each. */
export function newLocalBus(threads: number): { readonly seats: readonly LocalBusSeat[]; readonly control: LocalBusControl } {
  const stamps = new SharedArrayBuffer(8);
  const ports = Array.from({ length: threads }, (): { peer: number; port: MessagePort }[] => []);
  for (let a = 0; a < threads; a++) {
    for (let b = a + 1; b < threads; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a]?.push({ peer: b, port: port1 });
      ports[b]?.push({ peer: a, port: port2 });
    }
  }
  const controls = ports.map(() => new MessageChannel());
  return {
    seats: ports.map((own, self) => ({ self, ports: own, control: (controls[self] as MessageChannel).port1, stamps })),
    control: new LocalBusControl(controls.map(({ port2 }) => port2)),
  };
}

/** Main's end of the bus. */
export class LocalBusControl implements Disposable {
  readonly #ports: readonly MessagePort[];

  constructor(ports: readonly MessagePort[]) {
    this.#ports = ports;
    for (const port of ports) port.unref();
  }

  /** Closes what this principal has open, in all threads: its credential or the device itself is gone. */
  disconnectPrincipal(principalId: string): void {
    for (const port of this.#ports) port.postMessage(principalId);
  }

  [Symbol.dispose](): void {
    for (const port of this.#ports) port.close();
  }
}

export interface LocalBusLimits {
  /** Bytes that a peer has not worked through, at which publishers should pause, ... */
  readonly highBytes: number;
  /** ... and at which packets are dropped. */
  readonly maxBytes: number;
}

/**
 * The bus between the threads of one process, over MessagePorts. All that is sent in one turn of the event loop goes together, at
 * its end, in order. Every peer is there from the start: what is sent before it attaches waits in its port.
 */
export class LocalBus implements Bus, PeerListener {
  readonly self: PeerId;
  readonly #threads: number;
  readonly #peers: readonly PeerLink[];
  /** By id; at its own place there is nobody. */
  readonly #peerOf: readonly (PeerLink | undefined)[];
  readonly #control: MessagePort;
  readonly #stamps: BigInt64Array;
  readonly #limits: LocalBusLimits;
  #listener: BusListener | undefined;
  readonly #syncs = new Map<number, Sync>();
  /** They go behind everything that is gathered until the end of this turn. */
  #nextSyncs: Sync[] = [];
  #lastSync = 0;
  /** Receipts of packets to peers that had gone before. */
  #orphans: Receipt[] = [];
  #scheduled = false;
  #saturated = false;
  readonly #post = (): void => this.#postAll();

  constructor(seat: LocalBusSeat, limits: LocalBusLimits = { highBytes: 33_554_432, maxBytes: 67_108_864 }) {
    this.self = seat.self as PeerId;
    this.#threads = seat.ports.length + 1;
    this.#peers = seat.ports.map(({ peer, port }) => new PeerLink(peer as PeerId, port, this));
    this.#peerOf = Array.from({ length: this.#threads }, (_, id) => this.#peers.find((peer) => peer.id === id));
    this.#control = seat.control;
    this.#stamps = new BigInt64Array(seat.stamps);
    this.#limits = limits;
  }

  get saturated(): boolean {
    return this.#saturated;
  }

  attach(listener: BusListener): void {
    this.#listener = listener;
    this.#control.on('message', (principalId: string) => listener.onDisconnectPrincipal(principalId));
    for (const peer of this.#peers) peer.open();
  }

  homeOf(slot: Slot): PeerId {
    return (slot % this.#threads) as PeerId;
  }

  announce(filter: string, weight: number): void {
    this.#tellAll(NoteKind.interest, filter, weight);
  }

  /** `deadlineMs`: how long a peer is waited for. */
  async settled(deadlineMs = SYNC_DEADLINE_MS): Promise<void> {
    const missing = this.#peers.filter(({ gone }) => !gone);
    if (missing.length === 0) return;
    let sync = this.#nextSyncs.find((next) => next.deadlineMs === deadlineMs);
    if (sync === undefined) {
      const id = ++this.#lastSync;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(() => this.#endSync(id), deadlineMs);
      timer.unref();
      sync = { id, deadlineMs, missing: new Set(missing), timer, promise, resolve };
      this.#nextSyncs.push(sync);
      this.#syncs.set(id, sync);
      this.onGathered();
    }
    await sync.promise;
  }

  send(peer: PeerId, packet: BusPacket, receipt?: Receipt): boolean {
    const link = this.#peerOf[peer];
    if (link === undefined) throw new RangeError(`thread ${this.self} has no peer ${peer}`);
    if (link.gone) {
      if (receipt !== undefined) {
        this.#orphans.push(receipt);
        this.onGathered();
      }
      return true;
    }
    if (link.waitingBytes + packet.bytes.length > this.#limits.maxBytes) return false;
    link.packet(packet, receipt);
    if (link.waitingBytes >= this.#limits.highBytes) this.#saturated = true;
    return true;
  }

  sendAll(packet: BusPacket): boolean {
    let complete = true;
    for (const { id } of this.#peers) complete = this.send(id, packet) && complete;
    return complete;
  }

  openSession(key: string): number {
    const stamp = Number(Atomics.add(this.#stamps, 0, 1n)) + 1;
    this.#tellAll(NoteKind.session, key, stamp);
    return stamp;
  }

  disconnectPrincipal(principalId: string): void {
    this.#tellAll(NoteKind.disconnect, principalId, 0);
  }

  /** Sends what was gathered; receipts that are still owed are answered with Unspecified error. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#postAll();
    this.#control.close();
    const owed = this.#peers.flatMap((peer) => peer.close());
    for (const receipt of owed) receipt.answered(UNSPECIFIED_ERROR);
    for (const id of this.#syncs.keys()) this.#endSync(id);
  }

  onPacket(link: PeerLink, packet: BusPacket, answer: ((code: number) => void) | undefined): void {
    this.#listener?.onPacket(packet, answer, link.id);
  }

  onNote(link: PeerLink, kind: NoteKind, text: string, number: number): void {
    switch (kind) {
      case NoteKind.interest:
        this.#listener?.onInterest(link.id, text, number);
        return;
      case NoteKind.session:
        this.#listener?.onSessionOpened(text, number);
        return;
      case NoteKind.disconnect:
        this.#listener?.onDisconnectPrincipal(text);
        return;
      case NoteKind.sync:
        // Behind whatever was gathered for this peer, and behind all that had been sent here before the sync was, by whomever: ports
        // are heard in no particular order, but by the end of the next turn all of them were.
        setImmediate(() => setImmediate(() => link.note(NoteKind.synced, '', number)));
        return;
      case NoteKind.synced:
        this.#synced(number, link);
        return;
    }
  }

  onGathered(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#post);
  }

  onTaken(): void {
    if (!this.#saturated || this.#peers.some(({ waitingBytes }) => waitingBytes > this.#limits.highBytes / 2)) return;
    this.#saturated = false;
    this.#listener?.onDrained();
  }

  onGone(link: PeerLink): void {
    for (const id of this.#syncs.keys()) this.#synced(id, link);
    this.#listener?.onPeerGone(link.id);
    this.onTaken();
  }

  #synced(id: number, link: PeerLink): void {
    const sync = this.#syncs.get(id);
    if (sync?.missing.delete(link) === true && sync.missing.size === 0) this.#endSync(id);
  }

  #endSync(id: number): void {
    const sync = this.#syncs.get(id);
    if (sync === undefined) return;
    this.#syncs.delete(id);
    this.#nextSyncs = this.#nextSyncs.filter((next) => next !== sync);
    clearTimeout(sync.timer);
    sync.resolve();
  }

  #postAll(): void {
    for (const { id, missing } of this.#nextSyncs) for (const peer of missing) peer.note(NoteKind.sync, '', id);
    this.#nextSyncs.length = 0;
    this.#scheduled = false;
    for (const peer of this.#peers) peer.post();
    const orphans = this.#orphans;
    this.#orphans = [];
    for (const receipt of orphans) receipt.answered(UNSPECIFIED_ERROR);
  }

  #tellAll(kind: NoteKind, text: string, number: number): void {
    for (const peer of this.#peers) peer.note(kind, text, number);
  }
}

const SYNC_DEADLINE_MS = 1_000;

interface Sync {
  readonly id: number;
  readonly deadlineMs: number;
  readonly missing: Set<PeerLink>;
  readonly timer: NodeJS.Timeout;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}
