import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Bus, BusListener, PacketUse, PeerId } from '../../bus.ts';
import { HEADER_BYTES, PacketBatch, readBatch } from './packet-batch.ts';

/** What one gateway thread is given to open its end of the bus. Goes through `workerData`, with `ports` in the transfer list. */
export interface LocalBusSeat {
  readonly ports: readonly { readonly peer: number; readonly port: MessagePort }[];
  /** The end that main holds: it only ever tells. */
  readonly control: MessagePort;
  /** One Int32 that all threads count session stamps with. */
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
    seats: ports.map((own, thread) => ({ ports: own, control: (controls[thread] as MessageChannel).port1, stamps })),
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
    for (const port of this.#ports) port.postMessage({ kind: 'disconnect', principalId } satisfies Note);
  }

  [Symbol.dispose](): void {
    for (const port of this.#ports) port.close();
  }
}

/** What goes over a port. `taken` gives credit back: bytes of packets that the peer has worked through. */
type Note =
  | { readonly kind: 'packets'; readonly batch: Uint8Array }
  | { readonly kind: 'taken'; readonly bytes: number }
  | { readonly kind: 'sync'; readonly id: number }
  | { readonly kind: 'synced'; readonly id: number }
  | { readonly kind: 'interest'; readonly filter: string; readonly wanted: boolean }
  | { readonly kind: 'session'; readonly key: string; readonly stamp: number }
  | { readonly kind: 'disconnect'; readonly principalId: string };

export interface LocalBusLimits {
  /** Bytes that a peer has not worked through, at which publishers should pause, ... */
  readonly highBytes: number;
  /** ... and at which packets are dropped. */
  readonly maxBytes: number;
}

/**
 * The bus between the threads of one process, over MessagePorts. The packets of one turn of the event loop go together.
 * Every peer is there from the start: what is sent before it attaches waits in its port.
 */
export class LocalBus implements Bus {
  readonly #peers: readonly Peer[];
  readonly #control: MessagePort;
  readonly #stamps: BigInt64Array;
  readonly #limits: LocalBusLimits;
  #listener: BusListener | undefined;
  readonly #syncs = new Map<number, Sync>();
  #lastSync = 0;
  #scheduled = false;
  #saturated = false;

  constructor(seat: LocalBusSeat, limits: LocalBusLimits = { highBytes: 33_554_432, maxBytes: 67_108_864 }) {
    this.#peers = seat.ports.map(({ peer, port }) => ({
      id: peer as PeerId,
      port,
      batch: new PacketBatch(),
      waitingBytes: 0,
      gone: false,
    }));
    this.#control = seat.control;
    this.#stamps = new BigInt64Array(seat.stamps);
    this.#limits = limits;
  }

  get saturated(): boolean {
    return this.#saturated;
  }

  attach(listener: BusListener): void {
    this.#listener = listener;
    this.#control.on('message', (note: Note) => {
      if (note.kind === 'disconnect') listener.onDisconnectPrincipal(note.principalId);
    });
    for (const peer of this.#peers) {
      peer.port.on('message', (note: Note) => this.#hear(peer, listener, note));
      peer.port.on('close', () => this.#lose(peer, listener));
    }
  }

  announce(filter: string, wanted: boolean): void {
    this.#tellAll({ kind: 'interest', filter, wanted });
  }

  async settled(): Promise<void> {
    const asked = this.#peers.filter(({ gone }) => !gone);
    if (asked.length === 0) return;
    const id = ++this.#lastSync;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#endSync(id), SYNC_DEADLINE_MS);
      timer.unref();
      this.#syncs.set(id, { missing: new Set(asked), timer, resolve });
      this.#tellAll({ kind: 'sync', id });
    });
  }

  send(peer: PeerId, use: PacketUse, bytes: Uint8Array): boolean {
    const found = this.#peers.find(({ id }) => id === peer);
    return found === undefined || this.#add(found, use, bytes);
  }

  sendAll(use: PacketUse, bytes: Uint8Array): boolean {
    let complete = true;
    for (const peer of this.#peers) complete = this.#add(peer, use, bytes) && complete;
    return complete;
  }

  openSession(key: string): number {
    const stamp = Number(Atomics.add(this.#stamps, 0, 1n)) + 1;
    this.#tellAll({ kind: 'session', key, stamp });
    return stamp;
  }

  disconnectPrincipal(principalId: string): void {
    this.#tellAll({ kind: 'disconnect', principalId });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#post();
    for (const { port } of this.#peers) port.close();
    this.#control.close();
  }

  #hear(peer: Peer, listener: BusListener, note: Note): void {
    switch (note.kind) {
      case 'packets':
        readBatch(note.batch, (use, packet) => listener.onPacket(use, packet));
        peer.port.postMessage({ kind: 'taken', bytes: note.batch.length } satisfies Note);
        break;
      case 'taken':
        peer.waitingBytes -= note.bytes;
        this.#checkDrained();
        break;
      case 'sync':
        // Behind whatever was gathered for this peer.
        this.#postTo(peer);
        peer.port.postMessage({ kind: 'synced', id: note.id } satisfies Note);
        break;
      case 'synced':
        this.#synced(note.id, peer);
        break;
      case 'interest':
        listener.onInterest(peer.id, note.filter, note.wanted);
        break;
      case 'session':
        listener.onSessionOpened(note.key, note.stamp);
        break;
      case 'disconnect':
        listener.onDisconnectPrincipal(note.principalId);
        break;
    }
  }

  #synced(id: number, peer: Peer): void {
    const sync = this.#syncs.get(id);
    if (sync?.missing.delete(peer) === true && sync.missing.size === 0) this.#endSync(id);
  }

  #endSync(id: number): void {
    const sync = this.#syncs.get(id);
    if (sync === undefined) return;
    this.#syncs.delete(id);
    clearTimeout(sync.timer);
    sync.resolve();
  }

  #lose(peer: Peer, listener: BusListener): void {
    peer.gone = true;
    for (const id of this.#syncs.keys()) this.#synced(id, peer);
    peer.waitingBytes = 0;
    peer.batch.take();
    listener.onPeerGone(peer.id);
    this.#checkDrained();
  }

  #add(peer: Peer, use: PacketUse, bytes: Uint8Array): boolean {
    if (peer.gone) return true;
    if (peer.waitingBytes + bytes.length > this.#limits.maxBytes) return false;
    peer.batch.add(use, bytes);
    peer.waitingBytes += bytes.length + HEADER_BYTES;
    if (peer.waitingBytes >= this.#limits.highBytes) this.#saturated = true;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#post());
    }
    return true;
  }

  #post(): void {
    this.#scheduled = false;
    for (const peer of this.#peers) this.#postTo(peer);
  }

  #postTo(peer: Peer): void {
    if (peer.batch.isEmpty) return;
    const batch = peer.batch.take();
    peer.port.postMessage({ kind: 'packets', batch } satisfies Note, [batch.buffer]);
  }

  #tellAll(note: Note): void {
    for (const peer of this.#peers) {
      if (peer.gone) continue;
      this.#postTo(peer);
      peer.port.postMessage(note);
    }
  }

  #checkDrained(): void {
    if (!this.#saturated || this.#peers.some(({ waitingBytes }) => waitingBytes > this.#limits.highBytes / 2)) return;
    this.#saturated = false;
    this.#listener?.onDrained();
  }
}

const SYNC_DEADLINE_MS = 1_000;

interface Sync {
  readonly missing: Set<Peer>;
  readonly timer: NodeJS.Timeout;
  readonly resolve: () => void;
}

interface Peer {
  readonly id: PeerId;
  readonly port: MessagePort;
  readonly batch: PacketBatch;
  /** Bytes of packets sent to it, and gathered for it, that it has not worked through. */
  waitingBytes: number;
  gone: boolean;
}
