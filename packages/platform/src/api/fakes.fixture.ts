import type { DeviceId } from '../kernel/device-id.ts';
import type {
  AggregateAnswer,
  AggregateQuery,
  DeadLetter,
  LatestValue,
  LiveFeed,
  LiveUpdate,
  PlotAnswer,
  PlotQuery,
  PointColumns,
  RangeAnswer,
  RangeQuery,
  TelemetryEraser,
  TelemetryQueries,
} from '../telemetry/telemetry-queries.ts';
import type { ClientDetailJson, ClientDirectory, ClientJson, ClientPageJson, ClientQuery } from './client-directory.ts';
import type { ServerStats } from './server-stats.ts';
import type { QualityItem, QualityQuery } from '../telemetry/query-quality.ts';
import type { TraceBatchJson, TraceRequest, TraceSource } from './trace-source.ts';

export const STATS: ServerStats = {
  atMs: 1,
  uptimeMs: 2,
  mqttPort: 1883,
  version: '0.0.0-test',
  devices: 3,
  connections: 4,
  messagesInPerSecond: { qos0: 0, qos1: 5, qos2: 0 },
  messagesOutPerSecond: { qos0: 0, qos1: 0, qos2: 0 },
  pointsPerSecond: 6,
  bytesInPerSecond: 7,
  messagesIn: 8,
  messagesOut: 9,
  points: 10,
  deadLetters: 11,
  log: { recordsPerSecond: 12, syncsPerSecond: 13, syncMs: 14, lagRecords: 15, lagMs: 16 },
  store: { points: 17, bytes: 18, bytesPerPoint: 19 },
  memoryBytes: 20,
  threads: [{ name: 'main', eventLoopDelayMs: 21 }],
};

/** Answers what the test puts in, and keeps what it was asked. */
export class FakeTelemetry implements TelemetryQueries, TelemetryEraser {
  readonly ranges: RangeQuery[] = [];
  readonly aggregates: AggregateQuery[] = [];
  readonly plots: PlotQuery[] = [];
  incompleteBeforeMs: number | undefined;
  pointsFromMs: number | undefined;
  readonly forgotten: DeviceId[] = [];
  series: ReadonlyMap<string, PointColumns> = new Map();
  nextCursor: string | undefined;
  latestValues: ReadonlyMap<string, readonly LatestValue[]> = new Map();
  letters: readonly DeadLetter[] = [];
  quality: readonly QualityItem[] = [];
  failure: unknown;

  async latest(devices: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, readonly LatestValue[]>> {
    this.#mayFail();
    return new Map(devices.map((device) => [device, this.latestValues.get(device) ?? []]));
  }

  async range(query: RangeQuery, _signal?: AbortSignal): Promise<RangeAnswer> {
    this.#mayFail();
    this.ranges.push(query);
    const { incompleteBeforeMs } = this;
    return {
      metrics: this.series,
      ...(this.nextCursor !== undefined && { cursor: this.nextCursor }),
      ...(incompleteBeforeMs !== undefined && { incompleteBeforeMs }),
    };
  }

  async aggregate(query: AggregateQuery): Promise<AggregateAnswer> {
    this.#mayFail();
    this.aggregates.push(query);
    const { incompleteBeforeMs } = this;
    return { metrics: this.series, ...(incompleteBeforeMs !== undefined && { incompleteBeforeMs }) };
  }

  async metricsOf(devices: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, readonly string[]>> {
    return new Map(devices.map((device) => [device, [...this.series.keys()]]));
  }

  async plot(query: PlotQuery): Promise<PlotAnswer> {
    this.#mayFail();
    this.plots.push(query);
    const { pointsFromMs } = this;
    return { metrics: this.series, level: '1h', ...(pointsFromMs !== undefined && { pointsFromMs }) };
  }

  async deadLetters(query: { readonly limit: number }): Promise<{ readonly items: readonly DeadLetter[] }> {
    this.#mayFail();
    return { items: this.letters.slice(0, query.limit) };
  }

  page({ limit }: QualityQuery): { readonly items: readonly QualityItem[] } {
    this.#mayFail();
    return { items: this.quality.slice(0, limit) };
  }

  async forget(device: DeviceId): Promise<void> {
    this.#mayFail();
    this.forgotten.push(device);
  }

  #mayFail(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

/** A feed whose updates the test makes. */
export class FakeLive implements LiveFeed {
  readonly watches = new Set<{
    readonly devices: ReadonlySet<DeviceId> | undefined;
    readonly onUpdate: (updates: readonly LiveUpdate[]) => void;
  }>();

  watch(devices: ReadonlySet<DeviceId> | undefined, onUpdate: (updates: readonly LiveUpdate[]) => void): () => void {
    const watch = { devices, onUpdate };
    this.watches.add(watch);
    return () => void this.watches.delete(watch);
  }

  emit(updates: readonly LiveUpdate[]): void {
    for (const { devices, onUpdate } of this.watches) {
      const seen = updates.filter((update) => devices === undefined || devices.has(update.device));
      if (seen.length > 0) onUpdate(seen);
    }
  }
}

export const CLIENT: ClientJson = {
  clientId: 'sensor1',
  principalId: 'sensor1',
  state: 'connected',
  protocol: '5.0',
  door: 'tcp',
  remoteAddress: '192.0.2.1',
  sinceMs: 1,
  persistent: true,
  subscriptions: 1,
  queuedMessages: 2,
  inFlight: 3,
};

export const CLIENT_DETAIL: ClientDetailJson = {
  ...CLIENT,
  keepAliveSec: 60,
  sessionExpirySec: 3600,
  receiveMaximum: 20,
  queuedBytes: 4,
  filters: [{ filter: 'devices/sensor1/#', qos: 1 }],
  messagesReceived: 5,
  messagesSent: 6,
  messagesDropped: 7,
  closes: [{ reason: 'keep-alive', text: 'nothing came', code: 0x8d, atMs: 1 }],
  denials: [{ action: 'publish', subject: 'a', code: 0x87, text: '0x87 not authorized', count: 2, lastAtMs: 1 }],
};

/** Knows one client, and keeps what it was asked. */
export class FakeClients implements ClientDirectory {
  readonly queries: ClientQuery[] = [];
  readonly disconnected: string[] = [];

  async list(query: ClientQuery): Promise<ClientPageJson> {
    this.queries.push(query);
    return { items: [CLIENT], totals: { connected: 1, offline: 0 } };
  }

  async find(clientId: string): Promise<readonly ClientDetailJson[]> {
    return clientId === CLIENT.clientId ? [CLIENT_DETAIL] : [];
  }

  async disconnect(clientId: string, session: 'keep' | 'discard', principals?: readonly string[]): Promise<number> {
    if (clientId !== CLIENT.clientId || principals?.includes(CLIENT.principalId) === false) return 0;
    this.disconnected.push(`${clientId} ${session}`);
    return 1;
  }
}

/** Traces whose packets the test makes. */
export class FakeTraces implements TraceSource {
  readonly running = new Set<{ readonly request: TraceRequest; readonly onBatch: (batch: TraceBatchJson) => void }>();

  open(request: TraceRequest, onBatch: (batch: TraceBatchJson) => void): () => void {
    const trace = { request, onBatch };
    this.running.add(trace);
    return () => void this.running.delete(trace);
  }

  emit(batch: TraceBatchJson): void {
    for (const { onBatch } of this.running) onBatch(batch);
  }
}
