import { runLoadProgram, type LoadLatency } from './load-program.ts';

export interface FanoutOptions {
  readonly port: number;
  /** One publisher and `count` subscribers, `count` publishers and one subscriber, or `count` of both. */
  readonly shape: 'fan-out' | 'fan-in' | 'pairs';
  readonly count: number;
  readonly qos: 0 | 1 | 2;
  /** Messages that a publisher has under way at most. */
  readonly window?: number;
  /** Messages a second of all publishers together, in place of the window. */
  readonly rate?: number;
  /** 1: subscribers without clean session. */
  readonly persistent?: 0 | 1;
  /** TCP_NODELAY of the clients, default 1. */
  readonly noDelay?: 0 | 1;
  readonly seconds: number;
  readonly warmup: number;
}

export interface FanoutResult {
  /** Messages that were published, the warm-up with them. */
  readonly sent: number;
  readonly deliveries: number;
  readonly perSecond: number;
  readonly acknowledgedPerSecond: number;
  /** Publish to delivery, µs; with a rate from when the message was due. */
  readonly latencyUs: LoadLatency;
  /** Publish to PUBACK or PUBCOMP, µs. */
  readonly ackLatencyUs: LoadLatency;
  /** Deliveries, and acknowledgements, that had not come three seconds after the last that came. */
  readonly lost: number;
  /** Deliveries that came twice or out of order. */
  readonly repeated: number;
  /** Messages that were due and that the broker's sockets did not take. */
  readonly notSent: number;
  readonly closed: number;
  /** Share of a processor that the load generator took. */
  readonly loadBusy: number;
}

/** Runs a load of deliveries to its end: 75-byte messages, 3.1.1. */
export async function runFanout(options: FanoutOptions): Promise<FanoutResult> {
  const result = await runLoadProgram<FanoutResult>('mqtt-fanout', options);
  if (result.closed > 0) throw new Error(`the broker closed ${result.closed} connections: ${JSON.stringify(result)}`);
  return result;
}
