import { printSchema } from 'graphql';
import { graphqlSchema } from './schema.ts';

/** The schema in its own language, as docs/reference/graphql.graphql has it. */
export function graphqlSchemaText(): string {
  return `# POST /api/graphql: see docs/guides/graphql.md. Made by node tools/graphql-reference.ts\n\n${printSchema(graphqlSchema())}\n`;
}
