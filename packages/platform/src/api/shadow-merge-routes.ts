import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { SHADOW_NAME_PATTERN } from '../registry/device-type.ts';
import { ConflictStore } from '../shadows/replicas/conflict-store.ts';
import { MAX_REPLICAS, type ReplicaReport } from '../shadows/replicas/merge-report.ts';
import type { MergeAnswer } from '../shadows/replicas/replica-calls.ts';
import type { ShadowKey } from '../shadows/shadow-document.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, deviceParams, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { conflictSchema, edgeStateFields, mergedSchema, mergedToJson } from './shadow-merge-json.ts';

const namedParams = deviceParams.extend({
  name: z.string().min(1).max(1024).meta({ description: 'The name of the shadow.', pattern: SHADOW_NAME_PATTERN.source }),
});

const reportSchema = z
  .strictObject({
    replica: z.string().min(1).max(64).describe('The name of the edge among those that have this shadow: A-Z a-z 0-9 : _ . -'),
    clock: z
      .record(z.string(), z.number())
      .describe(
        `How many writes of each replica the edge has seen, its own included; of \`cloud\` the version. At most ${MAX_REPLICAS}.`,
      ),
    createdAtMs: z.int().min(0).optional().describe('Of the last answer. Absent: the edge has never got one.'),
    ...edgeStateFields,
  })
  .describe('What an edge has made of a shadow.');

const conflictsSchema = z
  .object({
    version: z.number().describe('That came of the merge.'),
    atMs: z.number(),
    replica: z.string().describe('The edge.'),
    conflicts: z.array(conflictSchema),
  })
  .describe('The conflicts of one merge.');

const pageSchema = z.strictObject({
  limit: wholeNumber({ min: 1, max: 100, default: 20 }).describe('Merges in a page.'),
  cursor: cursorParameter,
});

/** The two addresses of a shadow: the classic one has no name. */
const ADDRESSES = [
  { path: '/devices/:id/shadow', params: deviceParams, of: 'the classic shadow', suffix: 'Shadow' },
  { path: '/devices/:id/shadows/:name', params: namedParams, of: 'a named shadow', suffix: 'NamedShadow' },
] as const;

/** The door of edges that have shadows of their devices, and write them while they are apart. */
export function shadowMergeRoutes({ devices, state }: Pick<ApiDependencies, 'devices' | 'state'>): FastifyPluginAsyncZod {
  const conflicts = new ConflictStore(state.reader);

  async function keyOf(request: FastifyRequest): Promise<ShadowKey> {
    const { id, name = '' } = request.params as { readonly id: string; readonly name?: string };
    const device = parseDeviceId(id);
    if (name !== '' && !SHADOW_NAME_PATTERN.test(name)) {
      throw new SelsynError('request.invalid', 'the name of a shadow is 1 to 64 of $ A-Z a-z 0-9 : _ -', {
        details: { field: 'name' },
      });
    }
    await devices.ensureKnown(device, access(request).scope);
    return { device, shadow: name };
  }

  return async (app) => {
    for (const { path, params, of, suffix } of ADDRESSES) {
      app.post(
        `${path}/merge`,
        {
          config: { permission: 'shadows:write' },
          schema: {
            operationId: `merge${suffix}`,
            summary: `Merge ${of} with what an edge has made of it`,
            description:
              'For an edge that was apart. Field by field: what one side wrote and the other had not seen counts; a field that both wrote, ' +
              'each without having seen the other’s, is decided by the merge policy and told as a conflict. The answer is what the edge ' +
              'has to have from then on. What changed goes to the device as any update does.',
            tags: ['shadows'],
            params,
            body: reportSchema,
            response: {
              200: mergedSchema,
              ...problems(
                'device.invalid-id',
                'device.not-found',
                'shadow.not-found',
                'shadow.invalid',
                'shadow.conflict',
                'shadow.too-large',
                'shadow.refused',
                'request.too-large',
                'request.unsupported-media-type',
                'state.busy',
                'thread.timeout',
              ),
            },
          },
        },
        async (request) => {
          const { actor } = access(request);
          const key = await keyOf(request);
          const { state: sections, ...report } = request.body;
          // What came as JSON is JSON; the stamps are checked where they are merged.
          const call = { ...key, actor, report: { ...report, ...sections } as ReplicaReport };
          const answer: MergeAnswer = await state.calls.call('mergeShadow', call);
          return mergedToJson(answer);
        },
      );

      app.get(
        `${path}/conflicts`,
        {
          config: { permission: 'shadows:read' },
          schema: {
            operationId: `list${suffix}Conflicts`,
            summary: `List fields of ${of} that were written on both sides`,
            description:
              'Of each merge with an edge: both values, and which one counts. The newest 50 merges of a shadow, for 90 days.',
            tags: ['shadows'],
            params,
            querystring: pageSchema,
            response: {
              200: z
                .object({ items: z.array(conflictsSchema), cursor: z.string().optional() })
                .describe('The newest first; `cursor` is there when there may be more.'),
              ...problems('device.invalid-id', 'device.not-found'),
            },
          },
        },
        async (request) => {
          const { limit, cursor } = request.query;
          const found = await conflicts.list(await keyOf(request), { limit, cursor });
          const last = found.at(-1);
          return {
            items: found.map(({ version, atMs, replica, conflicts: each }) => ({ version, atMs, replica, conflicts: [...each] })),
            ...(found.length === limit && last !== undefined && { cursor: last.cursor }),
          };
        },
      );
    }
  };
}
