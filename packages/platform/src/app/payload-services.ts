import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { DecoderStore } from '../payloads/decoder-store.ts';
import { DecoderTrials } from '../payloads/decoder-trials.ts';
import { DeviceSchemas } from '../payloads/device-schemas.ts';
import { TrialThreads } from '../payloads/trial-threads.ts';
import type { DeviceTypeStore } from '../registry/device-type-store.ts';
import { QualityReader } from '../telemetry/query-quality.ts';

/** How payloads are read, as main knows it: what is declared, trials of it, and what came of it that looks wrong. */
export interface PayloadServices {
  readonly decoders: DecoderStore;
  readonly trials: DecoderTrials;
  readonly schemas: DeviceSchemas;
  readonly quality: QualityReader;
}

export function openPayloadServices(options: {
  readonly database: Database;
  readonly clock: Clock;
  readonly deviceTypes: DeviceTypeStore;
  readonly telemetryDir: string;
  readonly ending: AsyncDisposableStack;
}): PayloadServices {
  const { database, clock, deviceTypes, telemetryDir, ending } = options;
  const trialer = ending.use(new TrialThreads({ clock }));
  const decoders = new DecoderStore({ database, clock, scripts: trialer });
  return {
    decoders,
    trials: new DecoderTrials({ decoders, types: deviceTypes, clock, trialer }),
    schemas: new DeviceSchemas({ database, clock }),
    quality: ending.use(new QualityReader({ telemetryDir })),
  };
}
