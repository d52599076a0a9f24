import type { MessagePort } from 'node:worker_threads';
import { newLocalBus, portsOf } from '../bus/drivers/local/local-bus.ts';
import { newRelay, relayPortsOf } from '../gateways/mqtt/relay.ts';
import type { TlsMaterial } from '../gateways/mqtt/tls-material.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import { doorSettings } from './doors.ts';
import type { GatewayCalls, GatewayThreadData } from './gateway-thread.ts';
import { canReusePort } from './listening.ts';
import type { MetricsHub } from './metrics-hub.ts';
import { Thread } from './thread.ts';

export type GatewayThread = Thread<GatewayCalls, null>;

const GATEWAY_YOUNG_GENERATION_MB = 12;

/** Starts the gateway threads, with all that joins them to each other and to main. Their doors are still closed. */
export async function startGateways(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly ports: Parameters<typeof doorSettings>[0]['ports'];
  readonly logShared: SharedArrayBuffer;
  readonly sessions: GatewayThreadData['sessions'];
  readonly tlsMaterial: TlsMaterial | undefined;
  readonly scramKey: Uint8Array;
  /** Ports of main, one for each thread. */
  readonly newDevices: () => MessagePort;
  readonly traces: () => MessagePort;
  readonly control: () => MessagePort;
  readonly state: readonly MessagePort[];
  readonly metrics: MetricsHub;
  /** They stop with it. */
  readonly ending: AsyncDisposableStack;
}): Promise<readonly GatewayThread[]> {
  const { config, paths, ports, metrics, ending } = options;
  const { threads } = config.gateway;
  const bus = threads > 1 ? newLocalBus(threads) : undefined;
  if (bus !== undefined) ending.use(bus.control);
  const relays = newRelay(threads);
  const reusePort = threads > 1 && (await canReusePort());
  const gateways: GatewayThread[] = [];
  ending.defer(async () => {
    await Promise.all(gateways.map(async (gateway) => await gateway.stop()));
  });
  // All at once: they wait for each other to know what subscriptions were restored.
  const starts = Array.from({ length: threads }, async (_, index) => {
    const connected = options.newDevices();
    const traced = options.traces();
    const control = options.control();
    const seat = bus?.seats[index];
    const relay = relays[index];
    const others = seat === undefined || relay === undefined ? undefined : { bus: seat, relay };
    const doors = doorSettings({ config, ports, tlsMaterial: options.tlsMaterial, thread: index, reusePort });
    const state = options.state[index];
    if (state === undefined) throw new Error('a port of the state is missing');
    return await Thread.start<GatewayThreadData, GatewayCalls, null>({
      name: `gateway-${index}`,
      script: new URL('./gateway-thread.ts', import.meta.url),
      data: {
        config,
        paths,
        index,
        doors,
        reusePort,
        logShared: options.logShared,
        sessions: options.sessions,
        others,
        newDevices: connected,
        traces: traced,
        control,
        state,
        scramKey: options.scramKey,
      },
      youngGenerationMb: GATEWAY_YOUNG_GENERATION_MB,
      transfer: [
        connected,
        traced,
        control,
        state,
        ...(others === undefined ? [] : [...portsOf(others.bus), ...relayPortsOf(others.relay)]),
      ],
    });
  });
  const started = await Promise.allSettled(starts);
  for (const start of started) {
    if (start.status === 'rejected') continue;
    gateways.push(start.value);
    metrics.add(start.value);
  }
  for (const start of started) if (start.status === 'rejected') throw start.reason;

  return gateways;
}
