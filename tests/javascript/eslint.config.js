// The rules of the page's JavaScript (verifier/web/src), and of what runs it in tests.

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/node_modules/**", "build/**"] },
  js.configs.recommended,
  {
    files: ["verifier/web/src/*.js", "tests/browser/*.js", "tests/fuzz/*.js"],
    languageOptions: {
      ecmaVersion: 2022,
      globals: { ...globals.browser, ...globals.worker, ...globals.node },
    },
    rules: {
      complexity: ["error", 15],
      eqeqeq: "error",
      "max-len": ["error", { code: 120 }],
      "max-lines-per-function": ["error", 60],
      "no-eval": "error",
      "no-nested-ternary": "error",
      "no-shadow": "error",
      "no-unused-vars": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
