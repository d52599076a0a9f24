import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { parsePublicEndpoints } from '../gateways/http/public-endpoints.ts';
import { parseOpenPolicy } from '../identity/open-policy.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { parseOidcRoles } from '../people/oidc-roles.ts';
import { ARCHIVE_SETTINGS } from './archive-settings.ts';
import { CARDINALITY_SETTINGS } from './cardinality-settings.ts';
import { FORWARDING_SETTINGS } from './forwarding-settings.ts';
import { PKI_SETTINGS, SECRETS_SETTINGS } from './key-settings.ts';
import { RETENTION_SETTINGS } from './retention-settings.ts';
import { SHADOW_SETTINGS } from './shadow-settings.ts';
import { SPARKPLUG_SETTINGS } from './sparkplug-settings.ts';
import { SQL_SETTINGS } from './sql-settings.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const count = z.coerce.number().int().positive();

/**
 * Every setting: its default, its unit, and a sentence. docs/reference/configuration.md is made from it.
 * Values may come as text (from the environment or `--set`), hence the coercions.
 */
export const CONFIG_SCHEMA = z.strictObject({
  data: z.string().min(1).default('data').describe('Folder in which everything is kept.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('warn')
    .describe('Log lines of this level and above go to standard error.'),
  mqtt: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address the MQTT listener is bound to.'),
      port: port.default(1883).describe('TCP port of MQTT; 0 takes a free one.'),
      maxPacketBytes: count
        .max(268_435_460)
        .default(1_048_576)
        .describe('Largest MQTT packet, bytes; larger ones are refused before they are buffered.'),
      maxConnections: count.default(17_000).describe('Connections each gateway thread accepts at most.'),
      maxSessions: count
        .default(200_000)
        .describe(
          'Sessions each gateway thread keeps at most, with and without a client; a CONNECT that would add one is answered Quota exceeded.',
        ),
      acceptPerSec: z.coerce
        .number()
        .int()
        .min(0)
        .default(0)
        .describe(
          'CONNECT packets that each gateway thread lets in a second, with a burst of as many; others are answered Server busy. 0: no limit but the processor.',
        ),
      keepAliveMaxSec: z.coerce
        .number()
        .int()
        .min(0)
        .max(65_535)
        .default(0)
        .describe('Longest keep-alive, seconds; 5.0 clients are told it (server keep-alive). 0 leaves the choice to the client.'),
      sessionExpiryMaxSec: z.coerce
        .number()
        .int()
        .min(0)
        .max(4_294_967_295)
        .default(604_800)
        .describe(
          'Longest time a session is kept after its connection, seconds; also that of 3.1.1 clients without clean session.',
        ),
      receiveMaximum: count
        .max(65_535)
        .default(1_024)
        .describe('QoS 1 and 2 messages that a client may have unacknowledged towards the server.'),
      maxInFlight: count
        .max(32_767)
        .default(4_096)
        .describe(
          "QoS 1 and 2 messages that the server has unacknowledged towards a client; a client's own smaller maximum counts.",
        ),
      topicAliasMaximum: z.coerce
        .number()
        .int()
        .min(0)
        .max(65_535)
        .default(32)
        .describe('Topic aliases of a connection, in each direction; towards a client as far as it takes them.'),
      maxQueuedMessages: count
        .max(32_767)
        .default(10_000)
        .describe(
          'QoS 1 and 2 messages that wait for one client at most; a publisher of one more to a persistent session is told 0x97.',
        ),
      maxQueuedBytes: count.default(8_388_608).describe('Bytes of messages that wait for one client at most.'),
      maxMemoryBytes: count
        .default(1_073_741_824)
        .describe(
          'Bytes of waiting messages in each gateway thread, of all clients together. From three quarters on QoS 0 is shed; when it is full, no more is queued.',
        ),
      maxMessagesPerSec: z.coerce
        .number()
        .int()
        .min(0)
        .default(0)
        .describe(
          'PUBLISH, SUBSCRIBE and UNSUBSCRIBE packets a second of one client; a faster one is read more slowly. 0: no limit.',
        ),
      maxBytesPerSec: z.coerce
        .number()
        .int()
        .min(0)
        .default(0)
        .describe('Bytes a second of one client; a faster one is read more slowly. 0: no limit.'),
      maxSubscriptions: count.default(1_000).describe('Subscriptions of one client at most.'),
      maxWideSubscriptions: count
        .default(1_000)
        .describe(
          "Subscriptions to everybody's messages (`#`, `+/#`, …, shared ones too) in each gateway thread, of all clients together.",
        ),
      maxTopicLevels: count.max(1_024).default(32).describe('Levels of a topic or filter at most.'),
      sharedStrategy: z
        .enum(['round-robin', 'sticky', 'least-in-flight', 'hash-topic', 'hash-client'])
        .default('round-robin')
        .describe('Which member of a shared subscription gets a message.'),
      proxyProtocol: z
        .enum(['off', 'required'])
        .default('off')
        .describe(
          'required: each connection on the MQTT, TLS and WebSocket ports begins with a PROXY protocol header, version 1 or 2, that tells the client.',
        ),
      unixSocket: z.string().default('').describe('Path of a Unix socket on which MQTT is served too; empty: none.'),
      serverReference: z
        .string()
        .default('')
        .describe('Where 5.0 clients are sent when this server stops or is full (Server Reference); empty: nowhere.'),
      sysIntervalSec: z.coerce.number().int().min(0).default(10).describe('Seconds between two updates of `$SYS/#`; 0: none.'),
    })
    .prefault({}),
  tls: z
    .strictObject({
      enabled: z.stringbool().or(z.boolean()).prefault(true).describe('Whether MQTT is served over TLS.'),
      host: z.string().min(1).default('127.0.0.1').describe('Address the TLS listener is bound to.'),
      port: port.default(8883).describe('TCP port of MQTT over TLS; 0 takes a free one.'),
      certFile: z
        .string()
        .default('')
        .describe('PEM file of the server certificate and its chain; empty: one made at the first start, of a local authority.'),
      keyFile: z.string().default('').describe('PEM file of its private key.'),
      clientCaFile: z
        .string()
        .default('')
        .describe('PEM file of authorities whose client certificates are taken, besides the local one.'),
      clientCertificates: z
        .enum(['none', 'optional', 'required'])
        .default('optional')
        .describe('Whether clients are asked for a certificate.'),
      serverNames: z
        .string()
        .default('')
        .describe(
          "Host names and addresses, comma-separated, that the certificate made here is valid for besides this machine's own.",
        ),
    })
    .prefault({}),
  pki: PKI_SETTINGS,
  ws: z
    .strictObject({
      enabled: z.stringbool().or(z.boolean()).prefault(true).describe('Whether MQTT is served over WebSocket, at `/mqtt`.'),
      host: z.string().min(1).default('127.0.0.1').describe('Address the WebSocket listeners are bound to.'),
      port: port.default(8083).describe('TCP port of MQTT over WebSocket; 0 takes a free one.'),
      tlsPort: port.default(8084).describe('TCP port of MQTT over WebSocket and TLS (needs tls.enabled); 0 takes a free one.'),
    })
    .prefault({}),
  http: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address the HTTP listener (API, dashboard) is bound to.'),
      port: port.default(8080).describe('TCP port of HTTP; 0 takes a free one.'),
      allowedHosts: z
        .string()
        .default('')
        .describe(
          'Host names, comma-separated, under which the API may be called besides IP addresses and localhost, when bound to loopback.',
        ),
      publicUrl: z
        .string()
        .regex(/^(https?:\/\/[^/?#\s]+)?$/, 'must be an origin, as https://selsyn.example')
        .default('')
        .describe(
          'Where browsers find this server, as https://selsyn.example, where a proxy stands in front of it; with https, cookies go over TLS only.',
        ),
      trustedProxies: z
        .string()
        .default('')
        .describe(
          'Addresses and networks, comma-separated, of proxies whose X-Forwarded-For, -Proto and -Host are believed, as 127.0.0.1,10.0.0.0/8.',
        ),
    })
    .prefault({}),
  https: z
    .strictObject({
      enabled: z
        .stringbool()
        .or(z.boolean())
        .prefault(true)
        .describe(
          'Whether the API, the dashboard and enrolment are served over HTTPS too (needs tls.enabled, with its certificate).',
        ),
      host: z.string().min(1).default('127.0.0.1').describe('Address the HTTPS listener is bound to.'),
      port: port.default(8443).describe('TCP port of HTTPS; 0 takes a free one.'),
    })
    .prefault({}),
  provisioning: z
    .strictObject({
      defaultTemplate: z
        .string()
        .default('')
        .describe(
          'Provisioning template of devices that ask `/.well-known/selsyn` and name none; empty: the only one that is enabled, if it is the only one.',
        ),
      endpoints: z
        .string()
        .default('')
        .transform((text, context) => {
          try {
            return parsePublicEndpoints(text);
          } catch (error) {
            if (!isSelsynError(error, 'config.invalid')) throw error;
            context.addIssue({ code: 'custom', message: error.message });
            return z.NEVER;
          }
        })
        .describe(
          'URLs that `/.well-known/selsyn` tells devices, JSON, as `{"mqtts":"mqtts://iot.example.com:8883","https":"https://iot.example.com"}`; empty: the listeners here, under the host name that was asked.',
        ),
    })
    .prefault({}),
  secrets: SECRETS_SETTINGS,
  people: z
    .strictObject({
      sessionIdleMin: count.max(1_440).default(60).describe('Minutes without a request after which a user is signed out.'),
      sessionMaxHours: count.max(720).default(12).describe('Hours after which a user is signed out in any case.'),
    })
    .prefault({}),
  oidc: z
    .strictObject({
      issuer: z
        .string()
        .regex(
          /^(https:\/\/[^\s?#]+|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(\/[^\s?#]*)?)?$/,
          'must be an URL with https (http on loopback only)',
        )
        .default('')
        .describe('Identity provider by which users can sign in (OpenID Connect), its issuer URL; empty: none.'),
      clientId: z.string().default('').describe('What this server is called at the identity provider.'),
      clientSecret: z.string().min(1).optional().describe('Secret of that client.').meta({ secret: true }),
      label: z.string().min(1).max(100).default('Single sign-on').describe('What stands on the button of the page of sign-in.'),
      scopes: z.string().default('profile email').describe('Scopes asked for besides `openid`, with spaces between.'),
      claim: z
        .string()
        .min(1)
        .default('groups')
        .describe('Claim whose values give roles; dots lead into objects, as `realm_access.roles`.'),
      roles: z
        .string()
        .default('')
        .superRefine((text, context) => {
          try {
            parseOidcRoles(text);
          } catch (error) {
            if (!isSelsynError(error, 'config.invalid')) throw error;
            context.addIssue({ code: 'custom', message: error.message });
          }
        })
        .describe('Who gets which role, JSON: `[{"value":"admins","role":"administrator","group":"/"}]`.'),
    })
    .prefault({}),
  access: z
    .strictObject({
      mode: z
        .enum(['token', 'open'])
        .default('token')
        .describe(
          'token: devices sign in with their id and token. open: any MQTT client is let in and registered; only with every listener on loopback.',
        ),
      openPolicy: z
        .string()
        .default('')
        .describe(
          'Exceptions in open mode, JSON: lists of topic filters under `denySubscribe` and `denyPublish`, as `{"denySubscribe":["a/b"]}`.',
        )
        .transform((text, context) => {
          try {
            return parseOpenPolicy(text);
          } catch (error) {
            if (!isSelsynError(error, 'config.invalid')) throw error;
            context.addIssue({ code: 'custom', message: error.message });
            return z.NEVER;
          }
        }),
      adminKey: z
        .string()
        .min(16)
        .optional()
        .describe("The administrator's API key. Without it one is made at the first start and kept in data/admin.key.")
        .meta({ secret: true }),
    })
    .prefault({}),
  checks: z
    .strictObject({
      expiringWithinDays: count.default(30).describe('Certificates that end in less than this are found by the audit checks.'),
      maxCertificateAgeDays: count
        .default(730)
        .describe('Device certificates that have been in use for longer are found by the audit checks.'),
    })
    .prefault({}),
  presence: z
    .strictObject({
      offlineAfterSec: count
        .min(1)
        .default(300)
        .describe(
          'Seconds for which a device may be gone before an alert tells of it (selsyn presence, /api/v1/presence/alerts).',
        ),
      flappingLosses: count
        .min(2)
        .default(5)
        .describe('A device that goes so often within the window has one alert, as flapping.'),
      flappingWindowSec: count.min(1).default(600).describe('Seconds; and so long it must stay for that alert to be resolved.'),
    })
    .prefault({}),
  gateway: z
    .strictObject({
      threads: count
        .max(64)
        .default(Math.max(1, Math.min(8, availableParallelism() - 1)))
        .describe('Threads that serve devices. Default: one less than there are processors, at least 1, at most 8.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      sync: z
        .enum(['always', 'interval'])
        .default('always')
        .describe(
          'always: a message is acknowledged after fdatasync. interval: after the write; a power cut may lose the last syncIntervalMs.',
        ),
      syncIntervalMs: count.default(1_000).describe('ms between syncs when log.sync is interval.'),
      segmentBytes: count.min(1_048_576).default(134_217_728).describe('Size of one segment file, bytes.'),
      retentionHours: z.coerce
        .number()
        .positive()
        .default(24)
        .describe('Hours for which records are kept after they were stored.'),
      retentionBytes: count
        .default(4_294_967_296)
        .describe(
          'Bytes of the log that are kept at most, for each gateway thread, once stored; never more than the volume has left.',
        ),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      sealAfterSec: count.default(600).describe('Seconds after which a chunk is written even if it is not full.'),
      maxUnsealedPoints: count
        .min(100_000)
        .default(16_000_000)
        .describe('Points kept in memory before chunks are written early; 16 bytes each and some.'),
    })
    .prefault({}),
  archive: ARCHIVE_SETTINGS,
  retention: RETENTION_SETTINGS,
  cardinality: CARDINALITY_SETTINGS,
  forwarding: FORWARDING_SETTINGS,
  shadows: SHADOW_SETTINGS,
  sparkplug: SPARKPLUG_SETTINGS,
  sql: SQL_SETTINGS,
});

export type Config = Readonly<z.infer<typeof CONFIG_SCHEMA>>;
