import type { GraphQLSchema } from 'graphql';
import { addCommands } from './commands.ts';
import { addDevices } from './devices.ts';
import { addGroups } from './groups.ts';
import { addJobs } from './jobs.ts';
import { newBuilder } from './schema-builder.ts';
import { addPoints } from './points.ts';
import { addShadows } from './shadows.ts';
import { addTelemetry } from './telemetry.ts';

/** The schema of GraphQL; docs/reference/graphql.graphql is made of it. */
export function graphqlSchema(): GraphQLSchema {
  const builder = newBuilder();
  const parts = addDevices(builder);
  addShadows(builder, parts);
  addCommands(builder, parts);
  addJobs(builder, parts);
  addPoints(builder, parts);
  addTelemetry(builder, parts);
  addGroups(builder);
  return builder.toSchema();
}
