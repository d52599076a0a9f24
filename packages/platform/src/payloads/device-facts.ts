import type { PayloadDecoder } from './payload-decoder.ts';
import { TypeFacts } from './type-facts.ts';

/** What whoever reads messages asks of device types: synchronous, so that each record is read as its device is then. */
export interface DeviceFacts {
  /**
   * Looks whether the registry was changed, and forgets what no longer holds: facts become `stale`, or their devices are named.
   * Everything that was committed before this call counts after it. A microsecond where nothing was changed; call it before each
   * batch of records.
   *
   * @returns the devices whose facts must be asked for again
   * @throws SelsynError `data.unwritable`, `data.corrupt` when the registry cannot be read; retry
   */
  follow(): readonly string[];
  /** What is known of the type of a device: keep it as long as it is not `stale`. Throws as `follow` does. */
  of(device: string): TypeFacts;
  /** How a topic other than `telemetry/{device}` is read; undefined: as the platform's own JSON, whatever the type says. */
  decoderOf(topic: string, facts: TypeFacts): PayloadDecoder | undefined;
}

const PLAIN = new TypeFacts(undefined);

/** Where there are no device types: everything is JSON. */
export const NO_FACTS: DeviceFacts = { follow: () => [], of: () => PLAIN, decoderOf: () => undefined };
