import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseTime } from '../kernel/time-text.ts';
import { isEverything } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, parseField, wholeNumber } from './parameters.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';

const entrySchema = z
  .object({
    id: z.number(),
    atMs: z.number(),
    actor: z
      .object({
        kind: z.enum(['user', 'api-key', 'access-key', 'device', 'system']),
        id: z.string(),
        name: z.string(),
        remoteAddress: z.string().optional().describe('Absent: from the server itself.'),
      })
      .describe('Who did it.'),
    action: z.string().describe('As `device.update`.'),
    object: z.object({ kind: z.string(), id: z.string() }).describe('What it was done to.'),
    group: z.string().describe('The node that the object stands in.'),
    before: z.unknown().optional().describe('Absent: was not there.'),
    after: z.unknown().optional().describe('Absent: is no more.'),
  })
  .describe('A change.');

const text = z.string().min(1).max(256).optional();

const querySchema = z.strictObject({
  kind: text.describe('Of the object, as `device`.'),
  id: text.describe('Of the object.'),
  actor: text.describe('The id of the user, key or device who did it.'),
  action: text.describe('As `device.update`.'),
  from: z.string().max(64).optional().describe('Inclusive: ms since 1970, ISO 8601, `now`, or `now-1h`.'),
  to: z.string().max(64).optional().describe('Exclusive.'),
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Entries in a page.'),
  cursor: cursorParameter,
});

type Needs = Pick<ApiDependencies, 'audit' | 'clock'>;

/** What was changed, by whom and from where. Entries of objects outside of the caller's own nodes are left out. */
export function auditRoutes({ audit, clock }: Needs): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/audit',
      {
        config: { permission: 'audit:read' },
        schema: {
          operationId: 'listAuditEntries',
          summary: 'List what was changed, by whom',
          tags: ['access'],
          querystring: querySchema,
          response: {
            200: z
              .object({ items: z.array(entrySchema), cursor: z.string().optional().describe('Present when there are more.') })
              .describe('Newest first.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { kind, id, actor, action, from, to, limit, cursor } = request.query;
        const { scope } = access(request);
        const nowMs = clock.now();
        const entries = await audit.list({
          objectKind: kind,
          objectId: id,
          actorId: actor,
          action,
          groups: isEverything(scope) ? undefined : scope.groups,
          fromMs: from === undefined ? undefined : parseField('query', 'from', () => parseTime(from, nowMs)),
          toMs: to === undefined ? undefined : parseField('query', 'to', () => parseTime(to, nowMs)),
          limit: limit + 1,
          before: cursor === undefined ? undefined : entryOf(cursor),
        });
        const items = entries
          .slice(0, limit)
          .map((entry) => ({ ...entry, actor: { ...entry.actor }, object: { ...entry.object } }));
        const last = items.at(-1);
        return entries.length > limit && last !== undefined ? { items, cursor: String(last.id) } : { items };
      },
    );
  };
}

/** The id of the last entry of the page before. @throws SelsynError `request.invalid` */
function entryOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw invalidRequest([{ in: 'query', field: 'cursor', message: 'is none that an earlier answer gave' }]);
}
