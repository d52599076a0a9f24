import type { ChildServer } from '../harness/child-server.ts';
import { runFanout, type FanoutOptions } from '../harness/mqtt-fanout.ts';
import { startMosquitto, startSelsyn } from '../harness/servers.ts';
import { rateRows, type RateSample } from './broker-rows.ts';
import { FULL_SPEED, ROUNDS, Tally, type Part } from './part.ts';

const COUNT = 1000;
const QOS = [0, 1, 2] as const;

interface Shape {
  readonly what: string;
  readonly load: Omit<FanoutOptions, 'port' | 'count' | 'seconds' | 'warmup'>;
  /** TCP_NODELAY of mosquitto's sockets: what gives it the higher rate. */
  readonly mosquittoNoDelay: boolean;
}

/** Fan-in has 8,000 messages under way for its one subscriber: fewer than Selsyn lets wait for a client by default. */
const SHAPES: readonly Shape[] = [
  ...QOS.map((qos) => ({
    what: `1 to 1,000, QoS ${qos}`,
    load: { shape: 'fan-out', qos, window: 20 } as const,
    mosquittoNoDelay: false,
  })),
  ...QOS.map((qos) => ({
    what: `1,000 to 1, QoS ${qos}`,
    load: { shape: 'fan-in', qos, window: 8, noDelay: qos === 0 ? 0 : 1 } as const,
    mosquittoNoDelay: false,
  })),
  ...QOS.map((qos) => ({
    what: `1,000 pairs, QoS ${qos}`,
    load: { shape: 'pairs', qos, window: 20, noDelay: qos === 0 ? 0 : 1 } as const,
    mosquittoNoDelay: qos > 0,
  })),
  ...([1, 2] as const).map((qos) => ({
    what: `1,000 pairs, persistent sessions, QoS ${qos}`,
    load: { shape: 'pairs', qos, window: 20, persistent: 1 } as const,
    mosquittoNoDelay: true,
  })),
];

/**
 * Deliveries a second in a closed loop: a publisher has a few messages under way. With persistent sessions Selsyn acknowledges
 * a message once its session store has synced it for the subscriber; mosquitto keeps it in memory (with `persistence` it writes
 * its database every half an hour and at its end: nothing of that falls into the measurement).
 */
export const deliveryRates: Part = {
  name: 'deliveries',
  async run({ hasMosquitto }) {
    const tally = new Tally<RateSample>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const selsyn = await startSelsyn();
      await using _selsyn = selsyn.process;
      for (const { what, load, mosquittoNoDelay } of SHAPES) {
        tally.add(what, 'selsyn', await measure(selsyn.process, { port: selsyn.mqttPort, ...load }));
        if (!hasMosquitto) continue;
        const peer = await startMosquitto({ noDelay: mosquittoNoDelay });
        await using _peer = peer.process;
        tally.add(what, 'mosquitto', await measure(peer.process, { port: peer.mqttPort, ...load }));
      }
    }
    return { rows: SHAPES.flatMap(({ what }) => rateRows(what, 'deliveries', tally.of(what))), measured: tally };
  },
};

async function measure(server: ChildServer, options: Omit<FanoutOptions, 'count' | 'seconds' | 'warmup'>): Promise<RateSample> {
  const before = server.cpuSeconds();
  const result = await runFanout({ ...options, count: COUNT, ...FULL_SPEED });
  const delivered = options.shape === 'fan-out' ? result.sent * COUNT : result.sent;
  const serverCpuUs = ((server.cpuSeconds() - before) / delivered) * 1e6;
  return { perSecond: result.perSecond, loadBusy: result.loadBusy, serverCpuUs, lost: result.lost, repeated: result.repeated };
}
