import { randomBytes } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import { Broker } from '../broker/broker.ts';
import { registerBrokerMetrics } from '../broker/broker-metrics.ts';
import { DEFAULT_LIMITS } from '../broker/limits.ts';
import type { ClientTakeovers, CredentialUse } from '../broker/inspection.ts';
import type { DirectMessage, DirectOutcome } from '../broker/direct-message.ts';
import type { OwnMessage } from '../broker/own-message.ts';
import type { RetainedMessage, RetainedSummary } from '../broker/retained-listing.ts';
import type { VisitorMessage } from '../broker/visitor.ts';
import { LocalBus, type LocalBusSeat } from '../bus/drivers/local/local-bus.ts';
import { slotOf } from '../bus/slot.ts';
import { openSqliteReader } from '../database/drivers/sqlite/sqlite-database.ts';
import { registerDoorMetrics } from '../gateways/mqtt/door-counters.ts';
import { type DoorPorts, type DoorSettings, MqttGateway } from '../gateways/mqtt/mqtt-gateway.ts';
import { Relay, type RelaySeat } from '../gateways/mqtt/relay.ts';
import { SessionRouter } from '../gateways/mqtt/session-router.ts';
import { TelemetryIntake } from '../gateways/mqtt/telemetry-intake.ts';
import type { TlsMaterial } from '../gateways/mqtt/tls-material.ts';
import { type CertificateDesk, DeviceAuthorizer } from '../identity/device-authorizer.ts';
import { OpenAuthorizer } from '../identity/open-authorizer.ts';
import type { OpenPolicy } from '../identity/open-policy.ts';
import { nameOfUsername } from '../identity/username.ts';
import { systemClock } from '../kernel/clock.ts';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openLogLines } from '../kernel/log-lines.ts';
import { openMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { AppendPoints } from '../points/append-points.ts';
import type { PointCalls } from '../points/point-intake.ts';
import type { PartitionId } from '../log/log.ts';
import { JournalSessionStore } from '../session-store/drivers/journal/journal-session-store.ts';
import type { Authorizer } from '../broker/authorizer.ts';
import { brokerLimits } from './broker-limits.ts';
import type { Config } from './config-schema.ts';
import type { ControlCalls } from './control-desk.ts';
import type { DataPaths } from './data-folder.ts';
import { diskLogOptions } from './disk-log-options.ts';
import { ForwardedRequests } from './forwarded-requests.ts';
import { observeCommits } from './log-metrics.ts';
import { NewDevices } from './new-devices.ts';
import { PresenceReports } from './presence-reports.ts';
import { sessionLogOptions, type SessionLogPlace } from './session-logs.ts';
import { RequestDoors } from './request-doors.ts';
import { SparkplugAudience } from './sparkplug-audience.ts';
import { StateLink } from './state-link.ts';
import { runThread } from './thread.ts';
import type { ClientThread } from './thread-clients.ts';
import { serveTraces } from './trace-control.ts';

export interface GatewayThreadData {
  readonly config: Config;
  readonly paths: DataPaths;
  /** Also the partition of the telemetry stream that this thread writes. */
  readonly index: number;
  /** Those that this thread opens. */
  readonly doors: DoorSettings;
  /** Whether several threads listen on the same ports. */
  readonly reusePort: boolean;
  readonly logShared: SharedArrayBuffer;
  /** `index` is its partition of that stream too. */
  readonly sessions: SessionLogPlace;
  /** Undefined where this is the only gateway thread. */
  readonly others: { readonly bus: LocalBusSeat; readonly relay: RelaySeat } | undefined;
  /** Takes the ids of clients that were let in, in open mode. */
  readonly newDevices: MessagePort;
  /** Of a TraceControl. */
  readonly traces: MessagePort;
  /** Of a ControlDesk. */
  readonly control: MessagePort;
  /** Of a StateDesk. */
  readonly state: MessagePort;
  /** Makes up SCRAM challenges; opened by main, which alone has the keys of what is sealed. */
  readonly scramKey: Uint8Array;
}

/** What main may ask of a gateway thread. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type GatewayCalls = Pick<ClientThread, keyof ClientThread> &
  PointCalls & {
    metrics(argument: null): Promise<MetricsSnapshot>;
    /** Closes the connections of a device; done when all that they had sent is durable or refused. */
    cut(device: string): Promise<void>;
    /** Ends the sessions of a device, with what waits in them: it is no more. Done when all that it had sent is durable or refused. */
    endSessionsOf(device: string): Promise<void>;
    /** What these devices may do has changed: done when their connections heed it. */
    accessChanged(devices: readonly string[] | 'all'): Promise<void>;
    /** Of every connection of this thread whose client showed a certificate. */
    credentialUses(argument: null): readonly CredentialUse[];
    /** Clients of this thread whose connections were taken over so often. */
    takenOver(atLeast: number): readonly ClientTakeovers[];
    /** Publishes messages of the platform itself, in this order. Done when all that must have them durably have them. */
    publish(messages: readonly OwnMessage[]): Promise<void>;
    /** Publishes a message that came by HTTP. Answers a reason code, once all that must have it durably have it. */
    publishVisitor(message: VisitorMessage): Promise<number>;
    findRetained(topic: string): RetainedMessage | undefined;
    listRetained(page: { readonly after: string | undefined; readonly limit: number }): Promise<readonly RetainedSummary[]>;
    /** To a client of this thread. */
    sendDirect(message: DirectMessage): Promise<DirectOutcome>;
    /** Opens the doors: asked of all once all threads are there. Throws `listen.failed`. */
    open(argument: null): Promise<DoorPorts>;
    /** New TLS handshakes use this certificate and trust these authorities. */
    renewTls(material: TlsMaterial): void;
    stop(argument: null): Promise<void>;
  };

/** For the other threads to take in what is wanted here, when there are many subscriptions to restore. */
const SETTLE_DEADLINE_MS = 9_000;
/** Longer than main waits for the hook of a template, and for its turn to sign. */
const CONTROL_DEADLINE_MS = 15_000;
/** Client ids that the broker makes for those who bring none begin so. */
const MADE_ID = 'auto-';

await runThread<GatewayThreadData, GatewayCalls, null>(async (data) => {
  const { config, paths, index } = data;
  const name = `gateway-${index}`;
  const logLines = openLogLines({ level: config.logLevel, thread: name });
  const metrics = openMetrics(name);
  const loopDelay = observeEventLoopDelay(metrics);

  const log = await openDiskLog({
    ...diskLogOptions({ config, paths, shared: data.logShared, logLines }),
    role: 'writer',
    onCommit: observeCommits(metrics),
  });
  // Partitions are numbered as the gateway threads are.
  const intake = new TelemetryIntake({ log, partition: index as PartitionId });
  await intake.open();
  const points = new AppendPoints(intake);
  const sessionLog = await openDiskLog({
    ...sessionLogOptions({ config, place: data.sessions, logLines }),
    role: 'writer',
    onCommit: observeCommits(metrics, 'session_store'),
  });
  const store = new JournalSessionStore({
    log: sessionLog,
    partition: index as PartitionId,
    clock: systemClock,
    logLines,
  });

  const registry = config.access.mode === 'open' ? undefined : openSqliteReader(paths.registry);
  const control = new ThreadCaller<ControlCalls>(data.control, CONTROL_DEADLINE_MS);
  const presence = new PresenceReports(control, systemClock);
  const state = new StateLink(data.state, systemClock);
  const bus = data.others === undefined ? undefined : new LocalBus(data.others.bus);
  const limits = { ...DEFAULT_LIMITS, ...brokerLimits(config) };
  const broker = new Broker({
    authorizer:
      registry === undefined
        ? registering(new NewDevices(data.newDevices), config.access.openPolicy)
        : new DeviceAuthorizer({
            database: registry.database,
            clock: systemClock,
            random: randomBytes,
            scramKey: data.scramKey,
            desk: certificateDesk(control),
          }),
    intake,
    requests: new RequestDoors([new ForwardedRequests(control, logLines), state]),
    audiences: [state, new SparkplugAudience(() => void control.call('sparkplugWanted', null).catch(() => undefined))],
    presence,
    watchers: [presence.statuses, presence.sparkplug],
    store,
    bus,
    limits,
    clock: systemClock,
    logLines,
    newClientId: () => {
      // A session that lasts must be at home here: the client comes back with this id.
      for (;;) {
        const id = `${MADE_ID}${randomBytes(12).toString('hex')}`;
        if (bus === undefined || bus.homeOf(slotOf(id)) === bus.self) return id;
      }
    },
  });
  registerBrokerMetrics(metrics, broker);
  serveTraces(data.traces, { broker, clock: systemClock, thread: name });
  const relay = data.others === undefined ? undefined : new Relay({ seat: data.others.relay, clock: systemClock, broker });
  const { threads } = config.gateway;
  const listensAlone = !data.reusePort;
  const router = new SessionRouter({
    broker,
    others:
      bus === undefined || relay === undefined
        ? undefined
        : {
            bus,
            relay,
            count: threads,
            listensAlone,
            maxPacketBytes: limits.maxPacketBytes,
            connectDeadlineMs: limits.connectDeadlineMs,
          },
    clock: systemClock,
  });
  const gateway = new MqttGateway({
    accept: (transport) => router.accept(transport),
    doors: data.doors,
    reusePort: data.reusePort,
    maxSockets: (config.mqtt.maxConnections + 500) * (listensAlone ? threads : 1),
    maxPacketBytes: config.mqtt.maxPacketBytes,
    clock: systemClock,
    logLines,
  });
  registerDoorMetrics(metrics, gateway.counters);
  await broker.restore();
  broker.start();
  state.start(broker);
  relay?.start();

  return {
    ready: null,
    calls: {
      metrics: async () => await metrics.getMetricsAsJSON(),
      cut: async (device) => {
        broker.disconnectPrincipal(device);
        await intake.settled();
      },
      endSessionsOf: async (device) => {
        broker.endSessionsOf(device);
        await intake.settled();
      },
      accessChanged: async (devices) => await broker.accessChanged(devices === 'all' ? 'all' : new Set(devices)),
      credentialUses: () => broker.inspector.credentialUses(),
      takenOver: (atLeast) => broker.inspector.takenOver(atLeast, systemClock.now()),
      publish: async (messages) => {
        await Promise.all(messages.map(async (message) => await broker.publish(message)));
      },
      clients: async (query) => broker.inspector.list(query),
      recallClients: async (places) => broker.inspector.recall(places),
      client: async (clientId) => broker.inspector.find(clientId),
      disconnectClient: async ({ clientId, discard, principals, withWill }) =>
        broker.inspector.disconnect(clientId, discard, principals, withWill),
      publishVisitor: async (message) => await broker.publishVisitor(message),
      appendPoints: async (batch) => await points.append(batch),
      findRetained: (topic) => broker.findRetained(topic),
      listRetained: async (page) => await broker.listRetained(page),
      sendDirect: async (message) => await broker.sendDirect(message),
      open: async () => {
        await bus?.settled(SETTLE_DEADLINE_MS);
        return await gateway.start();
      },
      renewTls: (material) => gateway.renewTls(material),
      stop: async () => {
        await gateway.close();
        router[Symbol.dispose]();
        // Other threads still send last words to clients whose sockets are here, each within its own grace.
        await Promise.all([broker.close(), relay?.close(3 * limits.closeGraceMs)]);
        await intake[Symbol.asyncDispose]();
        await store[Symbol.asyncDispose]();
        await sessionLog[Symbol.asyncDispose]();
        await log[Symbol.asyncDispose]();
        await bus?.[Symbol.asyncDispose]();
        await registry?.[Symbol.asyncDispose]();
        loopDelay[Symbol.dispose]();
      },
    },
  };
});

/** What the authorizer asks of main. Main writes down what fails there. */
function certificateDesk(control: ThreadCaller<ControlCalls>): CertificateDesk {
  return {
    firstUsed: (id) => void control.call('certificateUsed', id).catch(() => undefined),
    registerJustInTime: async (der) => await control.call('registerJustInTime', der).catch(() => false),
  };
}

/** Open mode: lets everyone in, and reports who has named itself, by username or else by client id. */
function registering(newDevices: NewDevices, policy: OpenPolicy): Authorizer {
  const open = new OpenAuthorizer(policy);
  return {
    authenticate: async (request) => {
      const id = nameOfUsername(request.username) || request.clientId;
      if (!id.startsWith(MADE_ID)) newDevices.add(id);
      return await open.authenticate(request);
    },
  };
}
