import type { Database } from '../database/schema.ts';
import { ImportedTokens } from '../identity/imported-tokens.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import type { DeviceFilter } from '../registry/device-search.ts';
import { exportDevices } from '../registry/export/device-export.ts';
import type { ImportFormat } from '../registry/import/device-import.ts';
import { DeviceImports } from '../registry/import/device-imports.ts';

/** Devices in bulk, in and out. */
export interface BulkServices {
  readonly imports: DeviceImports;
  readonly exportDevices: (format: ImportFormat, query: DeviceFilter) => Promise<AsyncIterable<string>>;
}

/** Puts them together. */
export function bulkServices(dependencies: {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly onAccessChanged: (devices: readonly DeviceId[]) => void;
  readonly cutConnections: (device: DeviceId) => Promise<void>;
}): BulkServices {
  return {
    imports: new DeviceImports({ ...dependencies, tokens: new ImportedTokens(dependencies) }),
    exportDevices: async (format, query) => await exportDevices(dependencies, format, query),
  };
}
