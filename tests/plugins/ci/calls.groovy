// Prints the calls of a Jenkinsfile as JSON: [{name, arguments, body}], nested as they stand there.
// The parser is the one that Jenkins embeds, stopped before it resolves any name.
import groovy.json.JsonOutput
import org.codehaus.groovy.ast.expr.ClosureExpression
import org.codehaus.groovy.ast.expr.MethodCallExpression
import org.codehaus.groovy.ast.expr.TupleExpression
import org.codehaus.groovy.ast.stmt.BlockStatement
import org.codehaus.groovy.ast.stmt.ExpressionStatement
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.Phases

def calls(statement) {
    if (statement instanceof BlockStatement) {
        return statement.statements.collectMany { calls(it) }
    }
    if (statement instanceof ExpressionStatement && statement.expression instanceof MethodCallExpression) {
        return [call(statement.expression)]
    }
    return [[name: '?', arguments: [statement.toString()], body: []]]
}

def call(expression) {
    def given = expression.arguments instanceof TupleExpression ? expression.arguments.expressions : [expression.arguments]
    def closures = given.findAll { it instanceof ClosureExpression }
    return [
        name: expression.methodAsString,
        arguments: (given - closures).collect { it.text },
        body: closures.collectMany { calls(it.code) },
    ]
}

def unit = new CompilationUnit()
unit.addSource('Jenkinsfile', new File(args[0]).text)
unit.compile(Phases.CONVERSION)
println JsonOutput.toJson(calls(unit.AST.modules[0].statementBlock))
