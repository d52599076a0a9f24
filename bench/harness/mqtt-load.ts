import { runLoadProgram, startLoad, type LoadLatency } from './load-program.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly qos: 0 | 1 | 2;
  readonly seconds: number;
  readonly warmup?: number;
  /** Unacknowledged messages of a connection, where there is no rate. */
  readonly window?: number;
  /** Messages a second of all connections together. */
  readonly rate?: number;
  /** Default `telemetry/bench-`: what is stored. The number of the connection is appended. */
  readonly topicPrefix?: string;
  /** So many topics, of six digits each, that the connections publish to in turn. */
  readonly topics?: number;
  /** Ends once so many messages of all connections together are acknowledged. */
  readonly messages?: number;
  /** TCP_NODELAY of the clients, default 1. With 0, as libmosquitto and the system have it, the kernel joins small writes. */
  readonly noDelay?: 0 | 1;
  /** First timestamp; each message of a connection is 1 ms after the last. Default: an hour ago. */
  readonly timeBaseMs?: number;
  /** 1: each message carries the time at which it is sent. */
  readonly liveTime?: 0 | 1;
}

export interface LoadResult {
  readonly sent: number;
  /** With QoS 0: taken, as a PINGREQ behind them showed. */
  readonly acked: number;
  readonly counted: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** PUBLISH written until acknowledged, µs; 0 with QoS 0. */
  readonly latencyUs: LoadLatency;
  readonly errors: number;
  readonly closed: number;
  readonly loadCpuSeconds: number;
  /** Share of a processor that the load generator took: near 1 it may be what is measured. */
  readonly loadBusy: number;
}

/** Runs the load to its end. Connection n is device `bench-{n}`. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const result = await runLoadProgram<LoadResult>('mqtt-load', options);
  if (result.errors > 0 || result.closed > 0) {
    throw new Error(`${result.errors} errors and ${result.closed} closed connections under load: ${JSON.stringify(result)}`);
  }
  return result;
}

/** Opens connections that then say nothing, until disposed of. Resolves once all are accepted. */
export async function holdConnections(options: {
  readonly port: number;
  readonly connections: number;
  readonly firstId?: number;
}): Promise<Disposable> {
  const child = startLoad('mqtt-load', { ...options, idle: 600 });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', (piece: Buffer) => {
      const { connected } = JSON.parse(piece.toString()) as { connected: number };
      if (connected === options.connections) resolve();
      else reject(new Error(`${connected} of ${options.connections} connections were accepted`));
    });
    child.once('error', reject);
    child.once('close', () => reject(new Error('the load generator ended')));
  }).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') };
}
