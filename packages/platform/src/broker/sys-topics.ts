/** What the broker has done and holds, over all threads. Counts are since the start. */
export interface SysTotals {
  /** Clients that are connected, and those with a session that waits for them. */
  readonly clientsConnected: number;
  readonly clientsOffline: number;
  /** Sessions that ended because their time was over. */
  readonly clientsExpired: number;
  /** Connections that were accepted by a listener, and CONNECT packets. */
  readonly sockets: number;
  readonly connects: number;
  /** Packets of any type. */
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** PUBLISH packets, and the bytes of their payloads. */
  readonly publishReceived: number;
  readonly publishSent: number;
  readonly publishDropped: number;
  readonly payloadBytesReceived: number;
  readonly payloadBytesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Messages that are held: retained, queued, in flight. */
  readonly storedMessages: number;
  readonly storedBytes: number;
  readonly retainedMessages: number;
  readonly subscriptions: number;
  readonly sharedSubscriptions: number;
  readonly memoryBytes: number;
}

export interface SysValue {
  readonly topic: string;
  readonly text: string;
}

/**
 * The values of `$SYS/broker/…` under the names, and reckoned in the way, of mosquitto 2.0 (mosquitto(8), "Broker status").
 *
 * A load is a moving average a minute over 1, 5 and 15 minutes: with `r` what was counted since the last update, scaled to a
 * minute, and `t` seconds between updates, `load ← r + e^(-t / window) · (load - r)`. It is told when it moved by 0.01.
 */
export class SysTopics {
  readonly #told = new Map<string, string>();
  readonly #loads: readonly Load[];
  readonly #version: string;
  /** When the loads were last moved. */
  #before: SysTotals | undefined;
  #beforeMs = 0;
  /** Whether all loads are due, as at first. */
  #tellsLoads = true;
  #maxClients = 0;
  #maxMemoryBytes = 0;

  constructor(options: { readonly version: string }) {
    this.#version = options.version;
    this.#loads = LOADS.flatMap(([name, count]) =>
      WINDOWS.map(([window, seconds]) => ({ topic: `$SYS/broker/load/${name}/${window}`, count, seconds, value: 0 })),
    );
  }

  /** What has changed since the last call; everything the first time. */
  update(totals: SysTotals, uptimeMs: number): SysValue[] {
    const changed: SysValue[] = [];
    const clients = totals.clientsConnected + totals.clientsOffline;
    this.#maxClients = Math.max(this.#maxClients, clients);
    this.#maxMemoryBytes = Math.max(this.#maxMemoryBytes, totals.memoryBytes);
    this.#tell(changed, 'version', `selsyn version ${this.#version}`);
    this.#tell(changed, 'uptime', `${Math.floor(uptimeMs / 1_000)} seconds`);
    this.#tell(changed, 'clients/maximum', this.#maxClients);
    this.#tell(changed, 'heap/maximum', this.#maxMemoryBytes);
    for (const [name, read] of VALUES) this.#tell(changed, name, read(totals));
    this.#moveLoads(changed, totals, uptimeMs);
    return changed;
  }

  /** The next update tells everything, changed or not. */
  tellAll(): void {
    this.#told.clear();
    this.#tellsLoads = true;
  }

  #tell(changed: SysValue[], name: string, value: string | number): void {
    const topic = `$SYS/broker/${name}`;
    const text = String(value);
    if (this.#told.get(topic) === text) return;
    this.#told.set(topic, text);
    changed.push({ topic, text });
  }

  #moveLoads(changed: SysValue[], totals: SysTotals, uptimeMs: number): void {
    const before = this.#before;
    const passedSec = (uptimeMs - this.#beforeMs) / 1_000;
    if (before !== undefined && passedSec <= 0) return;
    for (const load of this.#loads) {
      let value = 0;
      if (before !== undefined) {
        const rate = ((load.count(totals) - load.count(before)) * 60) / passedSec;
        value = rate + Math.exp(-passedSec / load.seconds) * (load.value - rate);
      }
      if (this.#tellsLoads || Math.abs(value - load.value) >= 0.01) changed.push({ topic: load.topic, text: value.toFixed(2) });
      load.value = value;
    }
    this.#tellsLoads = false;
    this.#before = totals;
    this.#beforeMs = uptimeMs;
  }
}

type Count = (totals: SysTotals) => number;

interface Load {
  readonly topic: string;
  readonly count: Count;
  readonly seconds: number;
  value: number;
}

const WINDOWS = [
  ['1min', 60],
  ['5min', 300],
  ['15min', 900],
] as const;

const LOADS: readonly (readonly [name: string, count: Count])[] = [
  ['messages/received', (totals) => totals.packetsReceived],
  ['messages/sent', (totals) => totals.packetsSent],
  ['publish/dropped', (totals) => totals.publishDropped],
  ['publish/received', (totals) => totals.publishReceived],
  ['publish/sent', (totals) => totals.publishSent],
  ['bytes/received', (totals) => totals.bytesReceived],
  ['bytes/sent', (totals) => totals.bytesSent],
  ['sockets', (totals) => totals.sockets],
  ['connections', (totals) => totals.connects],
];

/** `active` and `inactive` are the old names of `connected` and `disconnected`, `messages/stored` that of `store/messages/count`. */
const VALUES: readonly (readonly [name: string, read: Count])[] = [
  ['clients/total', (totals) => totals.clientsConnected + totals.clientsOffline],
  ['clients/connected', (totals) => totals.clientsConnected],
  ['clients/active', (totals) => totals.clientsConnected],
  ['clients/disconnected', (totals) => totals.clientsOffline],
  ['clients/inactive', (totals) => totals.clientsOffline],
  ['clients/expired', (totals) => totals.clientsExpired],
  ['messages/received', (totals) => totals.packetsReceived],
  ['messages/sent', (totals) => totals.packetsSent],
  ['messages/stored', (totals) => totals.storedMessages],
  ['store/messages/count', (totals) => totals.storedMessages],
  ['store/messages/bytes', (totals) => totals.storedBytes],
  ['publish/messages/received', (totals) => totals.publishReceived],
  ['publish/messages/sent', (totals) => totals.publishSent],
  ['publish/messages/dropped', (totals) => totals.publishDropped],
  ['publish/bytes/received', (totals) => totals.payloadBytesReceived],
  ['publish/bytes/sent', (totals) => totals.payloadBytesSent],
  ['bytes/received', (totals) => totals.bytesReceived],
  ['bytes/sent', (totals) => totals.bytesSent],
  ['subscriptions/count', (totals) => totals.subscriptions],
  ['shared_subscriptions/count', (totals) => totals.sharedSubscriptions],
  ['retained messages/count', (totals) => totals.retainedMessages],
  ['heap/current', (totals) => totals.memoryBytes],
];
