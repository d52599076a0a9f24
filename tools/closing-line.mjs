// A vitest reporter that ends a run with one plain line, and lists every skipped test: a skip is never silent.

export default class ClosingLine {
  onTestRunEnd(modules) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state in counts) counts[state] += 1;
        if (state === 'skipped')
          console.log(
            `skipped: ${module.relativeModuleId} > ${test.fullName}${test.result().note ? ` (${test.result().note})` : ''}`,
          );
      }
      if (module.state() === 'failed' && module.errors().length > 0) counts.failed += 1;
    }
    console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
