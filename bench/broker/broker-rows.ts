import { median, ms, times, whole, type Row } from '../harness/report.ts';
import type { Beside } from './part.ts';

/** From here on the load generator may be what limits a rate: the row says so. */
const BUSY = 0.9;

/** What a load at full speed gives. */
export interface RateSample {
  readonly perSecond: number;
  readonly loadBusy: number;
  /** CPU of the server for each message, delivery or connection. */
  readonly serverCpuUs: number;
  readonly lost?: number;
  /** Twice or out of order. */
  readonly repeated?: number;
}

export type Unit = 'messages' | 'deliveries' | 'connections';

/** The rate against the peer's, and what each costs in CPU: that holds true also where the load generator limits the rate. */
export function rateRows(what: string, unit: Unit, { selsyn, mosquitto }: Beside<RateSample>): Row[] {
  const rate = (rounds: readonly RateSample[]): number => median(rounds.map(({ perSecond }) => perSecond));
  const cpu = (rounds: readonly RateSample[]): number => median(rounds.map(({ serverCpuUs }) => serverCpuUs));
  const [ours, theirs] = [rate(selsyn), rate(mosquitto)];
  const isWhole = selsyn.every((round) => faults(round) === 0);
  const first = { what: `${what}: ${unit} a second`, selsyn: whole(ours) + marks(selsyn) };
  const second = { what: `  CPU of the server for each`, selsyn: microseconds(cpu(selsyn)) };
  if (mosquitto.length === 0) return [{ ...first, target: 'all', holds: isWhole }, second];
  return [
    {
      ...first,
      target: 'the peer’s',
      peer: `mosquitto ${whole(theirs)}${marks(mosquitto)}`,
      ratio: times(ours, theirs),
      holds: ours >= theirs && isWhole,
    },
    { ...second, peer: `mosquitto ${microseconds(cpu(mosquitto))}`, ratio: times(cpu(mosquitto), cpu(selsyn)) },
  ];
}

/** A time against the peer's, with a verdict where there is a target: the peer's, or one in ms. */
export function timeRow(
  what: string,
  oursMs: number,
  theirsMs: number | undefined,
  target?: 'the peer’s' | { readonly belowMs: number },
): Row {
  const beside = theirsMs === undefined ? {} : { peer: `mosquitto ${ms(theirsMs)}`, ratio: times(theirsMs, oursMs) };
  const row: Row = { what, selsyn: ms(oursMs), ...beside };
  if (target === undefined) return row;
  if (target !== 'the peer’s') return { ...row, target: `< ${whole(target.belowMs)} ms`, holds: oursMs < target.belowMs };
  return theirsMs === undefined ? row : { ...row, target, holds: oursMs <= theirsMs };
}

function marks(rounds: readonly RateSample[]): string {
  const sum = (pick: (round: RateSample) => number): number => rounds.reduce((total, round) => total + pick(round), 0);
  const lost = sum((round) => round.lost ?? 0);
  const repeated = sum((round) => round.repeated ?? 0);
  const busy = median(rounds.map(({ loadBusy }) => loadBusy));
  return [
    lost > 0 ? `, LOST ${whole(lost)}` : '',
    repeated > 0 ? `, TWICE OR OUT OF ORDER ${whole(repeated)}` : '',
    busy >= BUSY ? ` (load generator ${Math.round(busy * 100)} % busy)` : '',
  ].join('');
}

function faults({ lost = 0, repeated = 0 }: RateSample): number {
  return lost + repeated;
}

function microseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} µs`;
}
