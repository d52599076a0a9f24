import { MessageChannel } from 'node:worker_threads';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import type { MetricsHub } from './metrics-hub.ts';
import { SignerCaller } from './signer-caller.ts';
import type { SignerCalls, SignerThreadData } from './signer-thread.ts';
import { Thread } from './thread.ts';

/** The thread with the private keys, and main's end of it. */
export interface Signer {
  readonly thread: Thread<SignerCalls, null>;
  readonly signing: SignerCaller;
}

/** Starts the signer thread, which opens the authorities of the data folder. @throws SelsynError `data.unwritable`, `data.corrupt` */
export async function startSigner(options: {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly metrics: MetricsHub;
}): Promise<Signer> {
  const { config, paths, metrics } = options;
  const channel = new MessageChannel();
  const { publicUrl, tokenPin } = config.pki;
  const thread = await Thread.start<SignerThreadData, SignerCalls, null>({
    name: 'signer',
    script: new URL('./signer-thread.ts', import.meta.url),
    data: { pkiDir: paths.pki, publicUrl, tokenPin, signing: channel.port2 },
    transfer: [channel.port2],
  });
  const signing = new SignerCaller({ port: channel.port1 });
  signing.register(metrics.registry);
  metrics.add(thread);
  return { thread, signing };
}
