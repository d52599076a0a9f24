import type { FastifyPluginAsync } from 'fastify';
import type { ArchiveControl, ErasureControl } from '../archive/archive-reading.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import type { AuditChecks } from '../checks/audit-checks.ts';
import type { AccessKeys } from '../people/access-keys.ts';
import type { People } from '../people/people.ts';
import type { ForwarderService } from '../forwarding/forwarder-service.ts';
import type { DeviceTokens } from '../identity/device-tokens.ts';
import type { AccessExplainer } from '../identity/policies/access-explanation.ts';
import type { PolicyStore } from '../identity/policies/policy-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DecoderStore } from '../payloads/decoder-store.ts';
import type { DecoderTrials } from '../payloads/decoder-trials.ts';
import type { DeviceSchemas } from '../payloads/device-schemas.ts';
import type { PointDoor } from '../points/point-door.ts';
import type { PresenceAlertStore } from '../presence/presence-alert-store.ts';
import type { PkiServices } from '../pki/pki-services.ts';
import type { Provisioning } from '../provisioning/provisioning.ts';
import type { ProvisioningTokens } from '../provisioning/provisioning-tokens.ts';
import type { DeviceFilter } from '../registry/device-search.ts';
import type { ConnectivityStore } from '../registry/connectivity-store.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { DeviceTypeStore } from '../registry/device-type-store.ts';
import type { FleetStore } from '../registry/fleet-store.ts';
import type { GroupStore } from '../registry/group-store.ts';
import type { ImportFormat } from '../registry/import/device-import.ts';
import type { DeviceImports } from '../registry/import/device-imports.ts';
import type { SearchFollowing } from '../shadows/search/search-following.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { RetentionControl } from '../retention/retention-control.ts';
import type { SqlQueries } from '../sql/sql-query.ts';
import type { QualityReader } from '../telemetry/query-quality.ts';
import type { LiveFeed, TelemetryEraser, TelemetryQueries } from '../telemetry/telemetry-queries.ts';
import type { TelemetryTransfer } from '../transfer/telemetry-transfer.ts';
import type { ApiState } from './api-state.ts';
import type { CardinalitySource } from './cardinality-routes.ts';
import type { ClientDirectory } from './client-directory.ts';
import type { onlyProblems } from './route-responses.ts';
import type { ServerStatsSource } from './server-stats.ts';
import type { SparkplugDirectory } from './sparkplug-directory.ts';
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
  readonly devices: Pick<
    DeviceStore,
    'get' | 'findMany' | 'ensureKnown' | 'groupOf' | 'among' | 'list' | 'count' | 'update' | 'remove'
  >;
  readonly connectivity: Pick<ConnectivityStore, 'of'>;
  readonly groups: Pick<GroupStore, 'create' | 'get' | 'children' | 'move' | 'remove'>;
  readonly deviceTypes: Pick<DeviceTypeStore, 'create' | 'get' | 'list' | 'update' | 'remove'>;
  readonly fleets: Pick<FleetStore, 'create' | 'get' | 'list' | 'update' | 'remove'>;
  readonly secrets: Pick<Secrets, 'devices' | 'status' | 'rotateDataKey' | 'rotateMasterKey'>;
  readonly imports: Pick<DeviceImports, 'begin' | 'find' | 'list' | 'refused' | 'remove' | 'take'>;
  /** The devices as text that an import takes. @throws SelsynError `request.invalid` for a filter that is none */
  readonly exportDevices: (format: ImportFormat, query: DeviceFilter) => Promise<AsyncIterable<string>>;
  readonly tokens: Pick<DeviceTokens, 'enrol' | 'rotate' | 'revoke'>;
  readonly policies: Pick<PolicyStore, 'list' | 'get' | 'put' | 'remove' | 'targetsOf' | 'attach' | 'detach'>;
  readonly explainer: Pick<AccessExplainer, 'explain'>;
  readonly pki: Pick<PkiServices, 'certificates' | 'authorities' | 'lists' | 'status' | 'signing' | 'serverRootPem'>;
  readonly provisioning: Pick<Provisioning, 'templates' | 'batches' | 'manifest' | 'quarantine' | 'attempts'>;
  readonly provisioningTokens: Pick<ProvisioningTokens, 'create' | 'list' | 'get' | 'stop' | 'stopBatch'>;
  /** What devices ask that have no credential yet, outside of the guard; it is given how error answers are described. */
  readonly deviceRoutes?: ((problems: typeof onlyProblems) => FastifyPluginAsync) | undefined;
  readonly presence: Pick<PresenceAlertStore, 'list'>;
  readonly forwarders: Pick<
    ForwarderService,
    'list' | 'get' | 'create' | 'update' | 'remove' | 'test' | 'reset' | 'refused' | 'resend' | 'discard' | 'forgetDevice'
  >;
  readonly checks: Pick<AuditChecks, 'run' | 'reports'>;
  readonly people: People;
  readonly accessKeys: Pick<AccessKeys, 'create' | 'list' | 'setDisabled' | 'remove' | 'grant' | 'revoke'>;
  readonly audit: Pick<AuditTrail, 'list' | 'record'>;
  readonly telemetry: TelemetryQueries;
  /** The way of points that come by HTTP. */
  readonly points: PointDoor;
  /** Points in large numbers, and in files. */
  readonly transfer: TelemetryTransfer;
  readonly eraser: TelemetryEraser;
  readonly archive: ArchiveControl;
  readonly erasures: ErasureControl;
  readonly retention: RetentionControl;
  readonly cardinality: CardinalitySource;
  readonly sparkplug: SparkplugDirectory;
  readonly decoders: Pick<DecoderStore, 'create' | 'get' | 'list' | 'update' | 'remove' | 'isKnown' | 'ensureKnown'>;
  /** Reads sample messages. */
  readonly trials: Pick<DecoderTrials, 'ofDecoder' | 'ofDraft' | 'ofType'>;
  /** What the types of devices say of their metrics. */
  readonly schemas: Pick<DeviceSchemas, 'of'>;
  /** Points that do not fit their device type. */
  readonly quality: Pick<QualityReader, 'page'>;
  readonly sql: SqlQueries;
  /** Shadows, commands and jobs. */
  readonly state: ApiState;
  /** Fields of shadows by which devices are found. */
  readonly searchFields: Pick<SearchFollowing, 'list' | 'declare' | 'drop'>;
  /** Called after a request that may have changed devices or groups. */
  readonly registryChanged: () => void;
  /** Resolves once shadows, commands and jobs have followed what was changed: nothing of a removed device is left. */
  readonly registryFollowed: () => Promise<void>;
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
  /** The same for a device that is removed, and its MQTT sessions end: nothing waits for one that comes back under the same id. */
  readonly endSessions: (device: DeviceId) => Promise<void>;
  /** Called once what devices may do was changed, by their group, type or attributes. */
  readonly accessChanged: (devices: readonly string[] | 'all') => void;
  /** The built dashboard; absent, or without an index.html: no pages. */
  readonly dashboardDir: string | undefined;
  /**
   * Host names that requests may name besides IP addresses and localhost; undefined: any. Given when the listener is on
   * loopback, so that no web page reaches it through a name that was made to point there (DNS rebinding).
   */
  readonly allowedHosts: readonly string[] | undefined;
  /** `https://selsyn.example`, where browsers find this server; undefined: wherever they say. */
  readonly publicUrl: string | undefined;
  /** Addresses and networks of proxies whose word on the client's address is taken. */
  readonly trustedProxies: readonly string[];
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly version: string;
}
