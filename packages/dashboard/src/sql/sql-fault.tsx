import { toProblem } from '../api/problem.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import styles from './sql.module.css';
import { markedLine, offsetOf } from './sql-words.ts';

/** Why a query failed, with the place in it. */
export function SqlFault({ error, sql }: { readonly error: Error; readonly sql: string }) {
  const { line, column } = toProblem(error).details;
  const isPlace = typeof line === 'number' && typeof column === 'number';
  const marked = isPlace ? markedLine(sql, line, column) : undefined;
  const goThere = () => {
    const editor = document.querySelector<HTMLTextAreaElement>('textarea[data-sql-editor]');
    if (editor === null || !isPlace) return;
    const at = offsetOf(editor.value, line, column);
    editor.focus();
    editor.setSelectionRange(at, at);
  };
  return (
    <div className={styles.fault}>
      <ProblemNotice error={error} />
      {marked !== undefined && (
        <button type="button" className={styles.place} title="Go there" data-testid="sql-place" onClick={goThere}>
          <code>{marked}</code>
        </button>
      )}
    </div>
  );
}
