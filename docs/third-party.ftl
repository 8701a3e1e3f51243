<#-- The format of docs/third-party.txt, which mvn -Prelease package -DskipTests writes. -->
<#assign left = ["org.potstill", "org.slf4j", "com.google.errorprone"]>
Third-party libraries in potstill.jar, each with the licences that its pom declares.
mvn -Prelease package -DskipTests writes this list; do not edit it.

Their native libraries contain others: ND4J's and openblas OpenBLAS (BSD) and GCC's runtime libraries (GPL 3 with the
runtime exception), dnnl oneDNN (Apache 2.0), opencl the Khronos ICD loader (Apache 2.0), onnxruntime those in
ThirdPartyNotices.txt. Of ND4J's repackaged libraries, protobuf is under the BSD licence, the others under Apache 2.0.

<#list dependencyMap as entry>
<#assign artifact = entry.getKey()>
<#if !left?seq_contains(artifact.groupId)>
${artifact.groupId}:${artifact.artifactId}:${artifact.version}: <#list entry.getValue() as licence>${licence}<#sep>; </#list>
</#if>
</#list>
