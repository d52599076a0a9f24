import { rmSync } from 'node:fs';
import type { ServerStats } from '@selsyn/platform/api/server-stats.ts';
import { temporaryFolder } from './harness/child-server.ts';
import { onAbruptEnd } from './harness/exit-cleanup.ts';
import { describeMachine } from './harness/machine.ts';
import { runLoad } from './harness/mqtt-load.ts';
import { amount, IS_SHORT } from './harness/phase.ts';
import { whole, type ClaimResult } from './harness/report.ts';
import { startSelsyn, untilConsumed } from './harness/servers.ts';
import { countStored } from './harness/stored-points.ts';

const METRICS = 3;
/** So many that no series has the 1,024 points at which a chunk is full. */
const DEVICES = IS_SHORT ? 1000 : 4000;
const POINTS = amount(10_000_000);
const SETTINGS = ['telemetry.sealAfterSec=86400', 'telemetry.maxUnsealedPoints=20000000'];

/** kill -9 with 10M points that are in the log and in memory, in no chunk: how long until it serves again, and whether all are there. */
export async function restart(): Promise<ClaimResult> {
  const folder = temporaryFolder();
  const forget = onAbruptEnd(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const messages = Math.ceil(POINTS / METRICS);
    const first = await startSelsyn({ settings: SETTINGS, folder });
    let acked: number;
    let sealed: number;
    {
      await using server = first.process;
      const load = await runLoad({
        port: first.mqttPort,
        connections: DEVICES,
        qos: 1,
        seconds: 120,
        warmup: 0,
        window: 20,
        messages,
      });
      acked = load.acked;
      if (acked !== load.sent || acked < messages) throw new Error(`${acked} of ${load.sent} messages were acknowledged`);
      await untilConsumed(first);
      sealed = (await first.get<ServerStats>('/api/v1/stats')).store.points;
      await server.kill('SIGKILL');
    }
    const again = await startSelsyn({ settings: SETTINGS, folder });
    await using _again = again.process;
    const stored = await countStored(again, DEVICES);
    const wanted = acked * METRICS;
    const exact = { lost: Math.max(0, wanted - stored), twice: Math.max(0, stored - wanted) };
    return {
      claim: 'restart',
      workload: `kill -9 with ${whole(wanted)} unsealed points of ${whole(DEVICES * METRICS)} series, acknowledged at QoS 1`,
      machine: describeMachine(),
      rows: [
        {
          what: 'from start to /readyz',
          selsyn: `${again.readySeconds.toFixed(2)} s`,
          target: '<= 10 s',
          holds: again.readySeconds <= 10,
        },
        { what: 'of the points, in chunks when it was killed', selsyn: whole(sealed), target: '0', holds: sealed === 0 },
        { what: 'points rebuilt a second', selsyn: whole(wanted / again.readySeconds) },
        { what: 'acknowledged points that are lost', selsyn: whole(exact.lost), target: '0', holds: exact.lost === 0 },
        { what: 'points counted twice', selsyn: whole(exact.twice), target: '0', holds: exact.twice === 0 },
      ],
      measured: {
        messages: acked,
        points: wanted,
        stored,
        readySeconds: again.readySeconds,
        firstStartSeconds: first.readySeconds,
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    forget();
  }
}
