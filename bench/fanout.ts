import { describeMachine } from './harness/machine.ts';
import { runFanout, type FanoutResult } from './harness/mqtt-fanout.ts';
import { IS_SHORT, seconds } from './harness/phase.ts';
import { median, ms, times, whole, type ClaimResult, type Row } from './harness/report.ts';
import { mosquittoVersion, startMosquitto, startSelsyn } from './harness/servers.ts';

const ROUNDS = IS_SHORT ? 1 : 3;
const SUBSCRIBERS = 1000;

interface Shape {
  readonly what: string;
  readonly pairs: 0 | 1;
  readonly qos: 0 | 1;
}

const SHAPES: readonly Shape[] = [
  { what: `1 to ${whole(SUBSCRIBERS)}, QoS 0`, pairs: 0, qos: 0 },
  { what: `1 to ${whole(SUBSCRIBERS)}, QoS 1`, pairs: 0, qos: 1 },
  { what: `${whole(SUBSCRIBERS)} pairs, QoS 0`, pairs: 1, qos: 0 },
  { what: `${whole(SUBSCRIBERS)} pairs, QoS 1`, pairs: 1, qos: 1 },
];

/** Deliveries a second, broker beside broker, in a closed loop: a publisher has 20 messages under way. */
export async function fanout(): Promise<ClaimResult> {
  const version = mosquittoVersion();
  const selsyn: FanoutResult[][] = SHAPES.map(() => []);
  const mosquitto: FanoutResult[][] = SHAPES.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, shape] of SHAPES.entries()) {
      selsyn[index]?.push(await measureSelsyn(shape));
      if (version !== undefined) mosquitto[index]?.push(await measureMosquitto(shape));
    }
  }
  const rowsOf = ({ what }: Shape, index: number): Row[] => {
    const rate = (rounds: readonly FanoutResult[] = []): number => median(rounds.map(({ perSecond }) => perSecond));
    const p99Ms = (rounds: readonly FanoutResult[] = []): number => median(rounds.map(({ latencyUs }) => latencyUs.p99)) / 1000;
    const [ours, theirs] = [rate(selsyn[index]), rate(mosquitto[index])];
    const lost = selsyn[index]?.reduce((sum, round) => sum + round.lost, 0) ?? 0;
    const first = { what: `${what}: deliveries a second`, selsyn: whole(ours) };
    const second = { what: `${what}: p99 of a delivery`, selsyn: ms(p99Ms(selsyn[index])) };
    const dropped = lost === 0 ? [] : [{ what: `${what}: not delivered`, selsyn: whole(lost), target: '0', holds: false }];
    if (version === undefined) return [first, second, ...dropped];
    return [
      { ...first, target: 'the peer’s', peer: `mosquitto ${whole(theirs)}`, ratio: times(ours, theirs), holds: ours >= theirs },
      { ...second, peer: `mosquitto ${ms(p99Ms(mosquitto[index]))}` },
      ...dropped,
    ];
  };
  return {
    claim: 'fanout',
    workload: `75-byte messages, 20 under way for each publisher; rounds in turns: ${ROUNDS}, medians`,
    machine: describeMachine({ mosquitto: version ?? 'not installed' }),
    rows: SHAPES.flatMap(rowsOf),
    measured: { shapes: SHAPES, selsyn, mosquitto },
  };
}

async function measureSelsyn(shape: Shape): Promise<FanoutResult> {
  const server = await startSelsyn();
  await using _server = server.process;
  return await measure(server.mqttPort, shape);
}

async function measureMosquitto(shape: Shape): Promise<FanoutResult> {
  const server = await startMosquitto();
  await using _server = server.process;
  return await measure(server.mqttPort, shape);
}

async function measure(port: number, { pairs, qos }: Shape): Promise<FanoutResult> {
  return await runFanout({
    port,
    shape: pairs === 1 ? 'pairs' : 'fan-out',
    qos,
    count: SUBSCRIBERS,
    window: 20,
    seconds: seconds(4),
    warmup: seconds(1),
  });
}
