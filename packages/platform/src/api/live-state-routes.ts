import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { StateEvent } from '../state/state-events.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { filterParameter } from './device-routes.ts';
import { beginEventStream } from './event-stream.ts';
import { nameList } from './parameters.ts';
import { groupField } from './people-schemas.ts';
import { problems } from './route-responses.ts';
import type { StateHub } from './state-hub.ts';
import { MAX_WATCHED, wantedDevices } from './wanted-devices.ts';

const devicesSchema = {
  devices: nameList({ maxItems: MAX_WATCHED, maxLength: 128 }).optional().describe('Ids with commas between, at most 1,000.'),
  group: groupField.optional().describe('Only devices in this group or below.'),
  fleet: z.string().min(1).max(128).optional().describe('Only members of this fleet, as they are now: within some seconds.'),
  filter: filterParameter,
};

interface Stream {
  readonly kind: StateEvent['kind'];
  readonly permission: 'shadows:read' | 'commands:read' | 'jobs:read';
  readonly summary: string;
  readonly description: string;
  /** A parameter of its own, and what it asks of an event. */
  readonly parameter: { readonly name: string; readonly description: string; readonly of: (event: StateEvent) => string };
}

const STREAMS: readonly Stream[] = [
  {
    kind: 'shadow',
    permission: 'shadows:read',
    summary: 'Changes of shadows as they come',
    description: '`shadow`: `{device, shadow, version, change, documents}`, where `shadow` is absent for the classic one.',
    parameter: {
      name: 'shadow',
      description: 'Only shadows of this name; empty: only classic ones.',
      of: (event) => (event.kind === 'shadow' ? event.shadow : ''),
    },
  },
  {
    kind: 'command',
    permission: 'commands:read',
    summary: 'States of commands as they change',
    description: '`command`: `{device, command, state}`.',
    parameter: {
      name: 'command',
      description: 'Only this command.',
      of: (event) => (event.kind === 'command' ? event.command : ''),
    },
  },
  {
    kind: 'job',
    permission: 'jobs:read',
    summary: 'States of job executions as they change',
    description: '`job`: `{device, job, execution, status}`.',
    parameter: { name: 'job', description: 'Only this job.', of: (event) => (event.kind === 'job' ? event.job : '') },
  },
];

type Needs = Pick<ApiDependencies, 'fleets'>;

/** What happens to shadows, commands and jobs, as it happens: Server-Sent Events, to be read by fetch. */
export function liveStateRoutes(hub: StateHub, needs: Needs): FastifyPluginAsyncZod {
  return async (app) => {
    for (const stream of STREAMS) {
      const { kind, parameter } = stream;
      app.get(
        `/live/${kind}s`,
        {
          exposeHeadRoute: false,
          config: { permission: stream.permission },
          schema: {
            operationId: `live${kind[0]?.toUpperCase()}${kind.slice(1)}s`,
            summary: stream.summary,
            description:
              `Server-Sent Events, of all devices that the caller sees, or of those that the parameters leave. ${stream.description} ` +
              '`watching`: from now on nothing is missed. `lagged`: `{"dropped":n}`, so many events were not sent because this client, or ' +
              'the server, was too slow: fetch again what you show. `bye`: the server is going to stop, or the key or session may not ' +
              'watch any more.',
            tags: [`${kind}s`],
            querystring: z.strictObject({
              ...devicesSchema,
              [parameter.name]: z.string().max(128).optional().describe(parameter.description),
            }),
            response: {
              200: { description: 'A stream that does not end.', content: { 'text/event-stream': { schema: z.string() } } },
              ...problems('device.invalid-id', 'fleet.not-found', 'request.rate-limited', 'server.not-ready'),
            },
          },
        },
        async (request, reply) => {
          hub.ensureRoom();
          const { scope, caller, renew } = access(request);
          const query: Readonly<Record<string, unknown>> = request.query;
          const only = query[parameter.name];
          const wanted = await wantedDevices(needs, request.query, caller);
          const events = beginEventStream(reply);
          const { client, leave } = hub.join(events, {
            wanted,
            isWanted: (event) => event.kind === kind && (only === undefined || parameter.of(event) === only),
            scope,
            renew: async () => (await renew())?.scope,
          });
          events.onDrained(() => client.drained());
          events.onGone(leave);
        },
      );
    }
  };
}
