import type { ApiKeys } from '../identity/api-keys.ts';
import type { DeviceTokens } from '../identity/device-tokens.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { LiveFeed, TelemetryEraser, TelemetryQueries } from '../telemetry/telemetry-queries.ts';
import type { ClientDirectory } from './client-directory.ts';
import type { ServerStatsSource } from './server-stats.ts';
import type { TraceSource } from './trace-source.ts';

export interface MetricsText {
  /** The metrics of all threads in the Prometheus text format. */
  render(): Promise<string>;
}

export interface Readiness {
  /** Why the server is not ready, for people; undefined when it is. */
  reason(): string | undefined;
}

/** Everything that the API needs, as narrow as it uses it. */
export interface ApiDependencies {
  readonly devices: Pick<DeviceStore, 'get' | 'ensureKnown' | 'list' | 'count' | 'remove'>;
  readonly tokens: Pick<DeviceTokens, 'enrol' | 'rotate' | 'revoke'>;
  readonly apiKeys: Pick<ApiKeys, 'authenticate' | 'create' | 'list' | 'remove'>;
  readonly telemetry: TelemetryQueries;
  readonly eraser: TelemetryEraser;
  readonly live: LiveFeed;
  readonly clients: ClientDirectory;
  readonly traces: TraceSource;
  readonly stats: ServerStatsSource;
  readonly metrics: MetricsText;
  readonly readiness: Readiness;
  /**
   * Called when the token of a device was taken back or changed. Resolves once no connection of the device is left and
   * what such connections had sent is in the log (or refused).
   */
  readonly cutConnections: (device: DeviceId) => Promise<void>;
  /** The built dashboard; absent, or without an index.html: no pages. */
  readonly dashboardDir: string | undefined;
  /**
   * Host names that requests may name besides IP addresses and localhost; undefined: any. Given when the listener is on
   * loopback, so that no web page reaches it through a name that was made to point there (DNS rebinding).
   */
  readonly allowedHosts: readonly string[] | undefined;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly version: string;
}
