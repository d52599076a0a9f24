import type { ChildServer } from '../harness/child-server.ts';
import { runLoad, type LoadResult } from '../harness/mqtt-load.ts';
import { startMosquitto, startSelsyn, untilConsumed } from '../harness/servers.ts';
import { countStored } from '../harness/stored-points.ts';
import { rateRows, type RateSample } from './broker-rows.ts';
import { FULL_SPEED, ROUNDS, Tally, type Part } from './part.ts';

const CONNECTIONS = 1000;
const METRICS = 3;
const QOS = [0, 1, 2] as const;
/** A topic without a subscriber that Selsyn does not store: it does then what mosquitto does. */
export const PLAIN_TOPIC = 'plain/bench-';

/**
 * Messages that are taken a second, from 1,000 connections at full speed: on a telemetry topic, which Selsyn acknowledges once its
 * log has synced them, and on a plain one. For mosquitto they are the same. With QoS 0 the kernel may join the clients' writes
 * (or the load generator would be what is measured), and a PINGREQ asks after each 32nd message whether they were taken.
 */
export const ingestRates: Part = {
  name: 'ingest',
  async run({ hasMosquitto }) {
    const tally = new Tally<RateSample>();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const qos of QOS) {
        const server = await startSelsyn();
        await using _server = server.process;
        const telemetry = await loadOf(server.process, { port: server.mqttPort, qos });
        await untilConsumed(server);
        const stored = await countStored(server, CONNECTIONS);
        tally.add(`telemetry, QoS ${qos}`, 'selsyn', {
          ...sampleOf(telemetry),
          lost: Math.max(0, Math.ceil(telemetry.acked - stored / METRICS)),
          repeated: Math.max(0, Math.ceil(stored / METRICS - telemetry.sent)),
        });
        if (hasMosquitto) {
          const peer = await startMosquitto();
          await using _peer = peer.process;
          const sample = sampleOf(await loadOf(peer.process, { port: peer.mqttPort, qos, topicPrefix: PLAIN_TOPIC }));
          tally.add(`telemetry, QoS ${qos}`, 'mosquitto', sample);
          tally.add(`plain topic, QoS ${qos}`, 'mosquitto', sample);
        }
        const plain = await loadOf(server.process, { port: server.mqttPort, qos, topicPrefix: PLAIN_TOPIC });
        tally.add(`plain topic, QoS ${qos}`, 'selsyn', sampleOf(plain));
      }
    }
    const workloads = QOS.flatMap((qos) => [`telemetry, QoS ${qos}`, `plain topic, QoS ${qos}`]);
    return { rows: workloads.flatMap((what) => rateRows(`ingest, ${what}`, 'messages', tally.of(what))), measured: tally };
  },
};

type MeasuredLoad = LoadResult & { readonly serverCpuUs: number };

async function loadOf(
  server: ChildServer,
  options: { readonly port: number; readonly qos: 0 | 1 | 2; readonly topicPrefix?: string },
): Promise<MeasuredLoad> {
  const before = server.cpuSeconds();
  const result = await runLoad({
    ...options,
    connections: CONNECTIONS,
    window: 20,
    noDelay: options.qos === 0 ? 0 : 1,
    ...FULL_SPEED,
  });
  return { ...result, serverCpuUs: ((server.cpuSeconds() - before) / result.acked) * 1e6 };
}

function sampleOf({ perSecond, loadBusy, serverCpuUs, sent, acked }: MeasuredLoad): RateSample {
  return { perSecond, loadBusy, serverCpuUs, lost: sent - acked };
}
